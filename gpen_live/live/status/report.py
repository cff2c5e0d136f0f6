"""The report of a run, as JSON: its keys are documented in docs/report.md and kept stable for scripts."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

import psutil

from gpen_live import __version__
from gpen_live.errors import GpenLiveError
from gpen_live.live.config import LiveConfig, output_parts
from gpen_live.live.pacing.clock import now
from gpen_live.live.status.meters import Meters
from gpen_live.live.status.snapshot import Snapshot, grade
from gpen_live.look import CONTROLS, Beauty
from gpen_live.messages import Message
from gpen_live.system.atomic import replace_file

T = TypeVar("T")
_BELONGS_TO: Final = {"keep_moles": "blemish", "lips_color": "lips", "lips_gloss": "lips", "blush_color": "blush"}


def build_report(config: LiveConfig, snapshot: Snapshot, meters: Meters, notes: Sequence[Message]) -> dict[str, object]:
    """Everything about the run so far; times in milliseconds unless named otherwise, rounded to a microsecond."""
    latency = {stage: _rounded(dataclasses.asdict(q), 3) for stage, q in meters.stages().items()}
    rates = meters.rates()
    return {
        "version": __version__,
        "device": snapshot.device,
        "model": snapshot.model_name or config.model,
        "precision": snapshot.precision,
        "mode": config.look.mode.value,
        "strength": config.look.strength,
        "beauty": _beauty_of(config.look.beauty),
        "size": str(snapshot.size) if snapshot.size else None,
        "source": snapshot.source.label or config.source,
        "sink": snapshot.sink.label or next(iter(output_parts(config.sinks))),
        "sinks": [
            {"label": output.status.label or output.spec, "sent": output.sent, "repeated": output.repeated}
            for output in snapshot.outputs
        ],
        "frames": dataclasses.asdict(meters.counts()),
        "leave_room": config.leave_room,
        "budget": {
            "ms": config.budget_ms,
            "within": round(meters.within(config.budget_ms), 4) if config.budget_ms > 0 else None,
            "given_up": " ".join(one.text for one in snapshot.quality.given_up),
            "steps_down": snapshot.quality.steps_down,
            "steps_up": snapshot.quality.steps_up,
            "full_share": round(snapshot.quality.full_share, 4),
        },
        "device_busy": round(meters.busy_share(), 4),
        "faces_per_frame": round(meters.faces_per_frame(), 3),
        "fps": _rounded(dataclasses.asdict(rates), 2),
        "latency_ms": latency,
        "grade": grade(meters.stages()["end_to_end"].p50),
        "first_frame_s": _first_frame_s(meters),
        "memory_mb": {"ram_peak": round(peak_ram_mb(), 1), "gpu_peak": round(peak_gpu_mb(), 1)},
        "notes": [note.text for note in notes],
    }


def write_report(path: Path, report: dict[str, object]) -> None:
    """Writes a report whole or not at all.

    Raises:
        GpenLiveError: the file can't be written.
    """
    write_whole(path, (json.dumps(report, indent=2) + "\n").encode())


def read_report(path: Path, kind: type[T], command: str) -> T:
    """The figures, as a dataclass of `kind`, that `command` wrote into a JSON file.

    Raises:
        GpenLiveError: there is no such file, or it is no report of that command.
    """
    import msgspec

    try:
        return msgspec.convert(json.loads(path.read_text(encoding="utf-8")), kind)
    except OSError as error:
        raise GpenLiveError("report.unreadable", path=path, reason=error.strerror) from error
    except (ValueError, msgspec.ValidationError) as error:
        raise GpenLiveError("report.other", path=path, command=command, reason=error) from error


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all.

    Raises:
        GpenLiveError: the file can't be written.
    """
    try:
        replace_file(path, content)
    except OSError as error:
        raise GpenLiveError("file.unwritable", path=path, reason=error.strerror) from error


def peak_ram_mb() -> float:
    """The most memory that this process has held so far, in MB."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    if sys.platform == "linux":  # where getrusage's figure is at least that of the process which started this one
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def peak_gpu_mb() -> float:
    """The most GPU memory that this process's PyTorch has held, in MB; 0 where PyTorch was never loaded or has no GPU."""
    if "torch" not in sys.modules:
        return 0.0
    import torch

    from gpen_live.inference.device import Device, peak_memory_mb

    try:
        if torch.cuda.is_available():
            return max(peak_memory_mb(Device("cuda", i)) for i in range(torch.cuda.device_count()))
        return peak_memory_mb(Device("mps")) if torch.backends.mps.is_available() else 0.0
    except RuntimeError:  # a device that was lost
        return 0.0


def _beauty_of(beauty: Beauty) -> dict[str, float | str | bool] | None:
    """The amount and the controls that are on, with what belongs to them; None where nothing is drawn."""
    if not beauty.uses():
        return None
    on: dict[str, float | str | bool] = {"amount": beauty.amount}
    for control in CONTROLS:
        value = getattr(beauty, control.name)
        if getattr(beauty, _BELONGS_TO.get(control.name, control.name)) != 0:
            on[control.name] = value
    return on


def _first_frame_s(meters: Meters) -> float | None:
    """Seconds from the start of the process to the first frame at the sink."""
    if meters.first_sent_at is None:
        return None
    since_start = time.time() - float(psutil.Process().create_time())
    return round(since_start - (now() - meters.first_sent_at), 3)


def _rounded(values: dict[str, float], digits: int) -> dict[str, float]:
    return {name: round(value, digits) for name, value in values.items()}
