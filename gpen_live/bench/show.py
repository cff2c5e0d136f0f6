"""The bench's figures as tables for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from gpen_live.bench.measure import Bench

_STAGES = ("detect", "warp", "network", "blend")


def show(bench: Bench, console: Console) -> None:
    """Prints the tables; times in milliseconds."""
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
    if any(one.candidates for one in bench.networks):
        console.print(_candidates(bench))
    for note in dict.fromkeys(note for one in bench.networks for note in one.notes):
        console.print(note, highlight=False)
    paths = Table("network", "mode", *(f"{stage} p50" for stage in _STAGES), "frame p50", "frame p95", "fps")
    paths.title = f"The frame path, demo camera at {bench.frame_size}"
    for path in bench.paths:
        stages = [f"{path.stages_ms[stage].p50:.1f}" if stage in path.stages_ms else "" for stage in _STAGES]
        paths.add_row(path.model, path.mode, *stages, f"{path.frame_ms.p50:.1f}", f"{path.frame_ms.p95:.1f}", f"{path.fps:.0f}")
    console.print(paths)
    if not all(one.own_weights for one in bench.networks):
        console.print("* untrained weights: the official ones are not on this machine; times are the same.", highlight=False)


def _candidates(bench: Bench) -> Table:
    """What each network was chosen from: how fast it runs in each way on this processor."""
    table = Table("network", "runs in", "precision", "threads", "ms", "chosen", title="Candidates on this processor, one face")
    for network in bench.networks:
        for i, one in enumerate(network.candidates):
            name = network.model if i == 0 else ""
            table.add_row(name, one.runtime, one.precision, f"{one.threads}", f"{one.ms:.1f}", "yes" if one.chosen else "")
    return table
