"""Compute devices: choosing one, proving that it works, and naming it."""

from __future__ import annotations

import platform
import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from gpen_live.errors import DeviceError, UsageError

if TYPE_CHECKING:
    import torch

ALLOWED = "auto, cpu, cuda, cuda:N or mps"


def check_device_name(name: str) -> None:
    """Raises UsageError unless `name` has the form of a device; asks no hardware and imports nothing heavy."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f"There is no device called {name!r}.", f"Allowed are {ALLOWED}.")


def choose_device(name: str) -> torch.device:
    """The device for `name`; "auto" takes CUDA, then MPS, then the CPU.

    A device that was asked for by name is used or refused, never replaced: a silent fall-back to the CPU is the most common
    complaint about tools of this kind.

    Raises:
        UsageError: no such name. DeviceError: this machine or this PyTorch has no such device, or it fails a first operation.
    """
    import torch

    check_device_name(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda":
        _check_cuda(device)
        device = torch.device("cuda", device.index or 0)
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("This machine has no Apple GPU that PyTorch can use (mps).", "Use --device cpu or --device auto.")
    _prove(device)
    return device


def _check_cuda(device: torch.device) -> None:
    import torch

    remedy = "Use --device cpu or --device auto; `gpen-live doctor` says what is missing."
    if not torch.cuda.is_available():
        raise DeviceError("This PyTorch finds no NVIDIA GPU (cuda) on this machine.", remedy)
    count = torch.cuda.device_count()
    index: int | None = device.index
    if index is not None and index >= count:
        there = "cuda:0 alone" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise DeviceError(f"There is no {device}; this machine has {there}.", "Name one of these.")


def _prove(device: torch.device) -> None:
    """Runs a small convolution on the device and checks its sum: a device that is listed is not yet one that works."""
    import torch

    try:
        picture = torch.ones(1, 1, 8, 8, device=device)
        total = float(torch.nn.functional.conv2d(picture, torch.ones(1, 1, 3, 3, device=device)).sum())
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(f"The device {device} failed a first operation ({reason}).", "Use --device cpu.") from error
    if total != 324.0:
        raise DeviceError(f"The device {device} computes wrong results.", "Use --device cpu.")


def describe_device(device: torch.device) -> str:
    """The device for people: "cuda:0 (NVIDIA H100)", "cpu (AMD EPYC, 2 threads)"."""
    import torch

    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "mps":
        return f"mps ({platform.processor() or platform.machine()})"
    count = torch.get_num_threads()
    return f"cpu ({cpu_name()}, {count} thread{'s' if count > 1 else ''})"


def cpu_name() -> str:
    """The processor's marketing name, or its architecture where the system doesn't tell."""
    if platform.system() == "Linux":
        try:
            with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
                for line in lines:
                    if line.startswith("model name"):
                        return line.split(":", 1)[1].strip()
        except OSError:
            return platform.machine()
    return platform.processor() or platform.machine()


def synchronize(device: torch.device) -> None:
    """Waits until the device has done what this thread gave it (on its current stream); nothing to wait for on the CPU."""
    import torch

    if device.type == "cuda":
        # Not all streams' end: that can't be waited for while another thread records a graph.
        torch.cuda.current_stream(device).synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()


def background_stream(device: torch.device) -> AbstractContextManager[object]:
    """Work given to a CUDA device in this context goes to a stream of this thread's own, beside that of the live frames."""
    if device.type != "cuda":
        return nullcontext()
    import torch

    from gpen_live.inference.cuda.streams import stream_for

    return torch.cuda.stream(stream_for("background", device))


def low_priority_stream(device: torch.device) -> torch.cuda.Stream:
    """A stream of a CUDA device, of the lowest priority that it offers among those of this process.

    One of a pool: to be asked for once, not once a frame (see `gpen_live.inference.cuda.streams`).
    """
    import torch

    lowest, _ = torch.cuda.Stream.priority_range()  # type: ignore[call-arg]  # a static method, which its stub does not say
    return torch.cuda.Stream(device, priority=lowest)  # type: ignore[no-untyped-call]


def peak_memory_mb(device: torch.device) -> float:
    """Most GPU memory held so far by this process's PyTorch, in MB; 0 on the CPU."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 1e6
    if device.type == "mps":
        return torch.mps.driver_allocated_memory() / 1e6
    return 0.0
