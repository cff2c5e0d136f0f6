"""The bench's figures as tables for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from gpen_live.bench.measure import Bench

_STAGES = ("detect", "warp", "network", "blend")


def show(bench: Bench, console: Console) -> None:
    """Prints both tables; times in milliseconds."""
    console.print(f"\nDevice: {bench.device}", highlight=False)
    networks = Table(
        "network", "crop", "precision", "p50 ms", "p95 ms", "fps", "live?", "load s", title="The network alone, one face"
    )
    for one in bench.networks:
        name = one.model if one.own_weights else f"{one.model} *"
        networks.add_row(
            name,
            f"{one.size}",
            one.precision,
            f"{one.network_ms.p50:.1f}",
            f"{one.network_ms.p95:.1f}",
            f"{one.fps:.0f}",
            one.grade,
            f"{one.load_s:.1f}",
        )
    console.print(networks)
    paths = Table("network", "mode", *(f"{stage} p50" for stage in _STAGES), "frame p50", "frame p95", "fps")
    paths.title = f"The frame path, demo camera at {bench.frame_size}"
    for path in bench.paths:
        stages = [f"{path.stages_ms[stage].p50:.1f}" if stage in path.stages_ms else "" for stage in _STAGES]
        paths.add_row(path.model, path.mode, *stages, f"{path.frame_ms.p50:.1f}", f"{path.frame_ms.p95:.1f}", f"{path.fps:.0f}")
    console.print(paths)
    if not all(one.own_weights for one in bench.networks):
        console.print("* untrained weights: the official ones are not on this machine; times are the same.", highlight=False)
