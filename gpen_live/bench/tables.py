"""The bench's figures as tables of text, for the terminal and for Markdown. Times in milliseconds unless named otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from gpen_live.bench import article
from gpen_live.bench.results import Bench, Flow, NetworkTime, PathTime
from gpen_live.frame import in_order

STAGES_SHOWN: Final = ("detect", "warp", "network", "blend", "convert")
"""Those of every path."""
_LIVE = {
    "fluent": "yes, fluent",
    "acceptable": "yes, acceptable",
    "stuttering": "hardly, stuttering",
    "unusable": "no, unusable",
}
_MODES = {"roi": "face", "full": "full frame"}
_UNTRAINED = "* untrained weights: the official ones are not on this machine; times are the same."
_CANDIDATE_COLUMNS = {"runtime": "runs in", "precision": "precision", "threads": "threads", "ms": "ms"}


@dataclass(frozen=True)
class Table:
    """A title, the columns' names, rows of texts, and sentences below it. The first column names, the others count."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: list[str] = field(default_factory=list)


def heading(bench: Bench) -> list[str]:
    """What was measured, on what, and whether that is all."""
    lines = [f"Device: {bench.device}", f"Frames: {bench.source}, {bench.frame_size}"]
    if bench.quick:
        lines.append("A quick run: the figures are less certain.")
    if not bench.complete:
        lines.append("Incomplete: not everything was measured.")
    return lines + [f"Failed: {failure}" for failure in bench.failures]


def tables(bench: Bench) -> list[Table]:
    """Those for which anything was measured."""
    made = (_networks, _candidates, _stages, _roi, _flows, _footprints, _rivals, _proofs)
    return [table for make in made for table in make(bench) if table.rows]


def live(grade: str) -> str:
    """A grade as the answer to whether it is suitable for live video."""
    return _LIVE[grade]


def _networks(bench: Bench) -> Iterator[Table]:
    rows = []
    batched = any(one.four_faces_ms is not None for one in bench.networks)
    for one in bench.networks:
        path = bench.path(one.model, "roi")
        rows.append(
            (
                _name(one),
                f"{one.precision} in {one.runtime}",
                _ms(one.network_ms.p50),
                _ms(one.network_ms.p95),
                *(("" if one.four_faces_ms is None else _ms(one.four_faces_ms),) if batched else ()),
                f"{one.runs}",
                _fps(one.fps),
                "" if path is None else _ms(path.frame_ms.p50),
                live(one.grade if path is None else path.grade),
                article.frame_text(one.model),
            )
        )
    notes = [
        "Frame: the whole frame path, which decides whether it is suitable for live: fluent under 100 ms, acceptable to 200.",
        f"{article.DEVICE}: a whole frame of the article's own implementation on that card, for context.",
    ]
    if not all(one.own_weights for one in bench.networks):
        notes.append(_UNTRAINED)
    notes += dict.fromkeys(note for one in bench.networks for note in one.notes)
    four = ("4 faces",) if batched else ()
    columns = ("network", "runs as", "p50", "p95", *four, "runs", "fps in theory", "frame p50", "live?", article.DEVICE)
    yield Table("The network alone, one face", columns, rows, notes)


def _candidates(bench: Bench) -> Iterator[Table]:
    """What each network was chosen from: how fast it runs in each way on this device, and whatever else is known of it."""
    found = [one for network in bench.networks for one in network.candidates]
    extra = tuple(dict.fromkeys(key for one in found for key in one if key not in (*_CANDIDATE_COLUMNS, "chosen")))
    known = {key: title for key, title in _CANDIDATE_COLUMNS.items() if any(one.get(key) is not None for one in found)}
    columns = ("network", *known.values(), *(key.replace("_", " ") for key in extra), "chosen")
    rows = [
        (
            network.model if i == 0 else "",
            *(_cell(one.get(key)) for key in (*known, *extra)),
            "yes" if one.get("chosen") else "",
        )
        for network in bench.networks
        for i, one in enumerate(network.candidates)
    ]
    yield Table("Ways to run it that were tried on this device, one face", columns, rows)


def stages_of(bench: Bench) -> list[str]:
    """The stages of all paths, those with a new name too, in the order in which a frame meets them."""
    return in_order((*STAGES_SHOWN, *(stage for path in bench.paths for stage in path.stages_ms)))


def _stages(bench: Bench) -> Iterator[Table]:
    rows, stages = [], stages_of(bench)
    for path in bench.paths:
        cells = [
            f"{_ms(path.stages_ms[stage].p50)} / {_ms(path.stages_ms[stage].p95)}" if stage in path.stages_ms else ""
            for stage in stages
        ]
        whole = f"{_ms(path.frame_ms.p50)} / {_ms(path.frame_ms.p95)}"
        rows.append((path.model, _path_name(path), *cells, whole, _fps(path.fps), f"{path.frames}"))
    if rows and any(path.model == article.STAGES_MODEL for path in bench.paths):
        there = [_ms(article.STAGES_MS[stage]) if stage in article.STAGES_MS else "" for stage in stages]
        rows.append((article.STAGES_MODEL, article.DEVICE, *there, _ms(article.FRAME_MS[article.STAGES_MODEL]), "", ""))
    columns = ("network", "mode", *stages, "whole frame", "fps", "frames")
    notes = [
        f"{path.model}: of {path.frames} frames {path.enhanced} had a face to enhance; the others went out as they came."
        for path in bench.paths
        if path.enhanced < path.frames
    ]
    notes += [note for path in bench.paths for note in _beauty_note(bench, path)]
    yield Table("The frame path by stage, p50 / p95: frame in memory to NV12 in memory", columns, rows, notes)


def _path_name(path: PathTime) -> str:
    return _MODES[path.mode] if path.beauty == "off" else f"{_MODES[path.mode]}, {path.beauty}"


def _beauty_note(bench: Bench, path: PathTime) -> Iterator[str]:
    plain = bench.path(path.model, path.mode)
    if path.beauty != "off" and plain is not None:
        more = path.frame_ms.p50 - plain.frame_ms.p50
        work = path.cpu_ms - plain.cpu_ms
        yield (
            f"{path.model}, {_path_name(path)}: {more:+.2f} ms on the whole frame's p50, in turns with none; "
            f"{work:+.1f} ms of processor time."
        )


def _roi(bench: Bench) -> Iterator[Table]:
    rows = []
    for model in bench.models:
        face, full = bench.path(model, "roi"), bench.path(model, "full")
        if face is not None and full is not None:
            factor = f"{full.frame_ms.p50 / face.frame_ms.p50:.1f}x"
            rows.append((model, _ms(face.frame_ms.p50), _ms(full.frame_ms.p50), factor))
    if any(row[0] == article.STAGES_MODEL for row in rows):
        full_ms = article.FRAME_MS[article.STAGES_MODEL]
        name = f"{article.STAGES_MODEL} ({article.DEVICE})"
        rows.append((name, _ms(article.ROI_MS), _ms(full_ms), f"{full_ms / article.ROI_MS:.1f}x"))
    yield Table("The face alone against the full frame, p50", ("network", "face", "full frame", "full over face"), rows)


def _flows(bench: Bench) -> Iterator[Table]:
    rows = [
        (
            flow.model,
            _MODES[flow.mode],
            _feed(flow),
            f"{flow.frames}",
            _fps(flow.serial_fps),
            _fps(flow.pipelined_fps),
            f"{flow.gain_percent:+.0f} %",
        )
        for flow in bench.flows
    ]
    low, high = article.PIPELINED_GAIN_PERCENT
    notes = [
        f"The article promises +{low} to +{high} % of pipelining.",
        "JPEG pictures are how a webcam delivers; they are decoded.",
    ]
    columns = ("network", "mode", "frames come as", "frames", "serial fps", "pipelined fps", "gain")
    yield Table("One after the other against the live pipeline's threads, the same frames", columns, rows, notes)


def _feed(flow: Flow) -> str:
    return "JPEG" if flow.feed == "MJPG" else "pixels in memory"


def _footprints(bench: Bench) -> Iterator[Table]:
    rows = [
        (
            one.model,
            f"{one.ram_peak_mb:.0f}",
            f"{one.ram_before_mb:.0f}",
            f"{one.gpu_peak_mb:.0f}" if one.gpu_peak_mb else "none",
            f"{one.import_s:.1f}",
            f"{one.load_s:.2f}",
            f"{one.warm_up_s:.2f}",
            f"{one.first_frame_s:.1f}",
        )
        for one in bench.footprints
    ]
    if any(one.model == article.STAGES_MODEL for one in bench.footprints):
        name = f"{article.STAGES_MODEL} ({article.DEVICE})"
        rows.append((name, f"{article.RAM_MB:.0f}", "", f"{article.GPU_MB:.0f}", "", f"{article.LOAD_S:.1f}", "", ""))
    columns = ("network", "RAM MB", "of it before", "GPU MB", "import s", "load s", "warm-up s", "first frame s")
    notes = ["Each in a process of its own. Before: what Python and PyTorch take; first frame: from the start of the process."]
    yield Table("Memory at its peak, and the start", columns, rows, notes)


def _rivals(bench: Bench) -> Iterator[Table]:
    rows = [
        (
            one.model,
            _ms(one.upstream_ms.p50),
            _ms(one.ours_ms.p50),
            f"{one.precision} in {one.runtime}",
            f"{one.ratio:.1f}x",
            f"{one.pairs}",
            f"{one.mean_levels:.2f}",
            f"{one.largest_levels:.1f}",
        )
        for one in bench.rivals
    ]
    notes = ["In turns, in one process, on the same crops and weights. Upstream in fp32, without compiling its CUDA operations."]
    notes += [f"{one.model}: the pictures differ too much to be of the same network." for one in bench.rivals if not one.same]
    columns = ("network", "upstream p50", "ours p50", "ours runs as", "faster", "pairs", "mean levels", "largest")
    yield Table("Against upstream's network, and how far the pictures differ (levels of 255)", columns, rows, notes)


def _proofs(bench: Bench) -> Iterator[Table]:
    rows = [(one.model, "yes" if one.proof.holds else "not proven", one.proof.sentence) for one in bench.networks]
    yield Table(f"Did {bench.device.partition(' ')[0]} do the work?", ("network", "", "what speaks for it"), rows)


def _name(one: NetworkTime) -> str:
    return one.model if one.own_weights else f"{one.model} *"


def _ms(value: float) -> str:
    """Three digits, as many as mean anything."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def _fps(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return _ms(value)
    return f"{value}"
