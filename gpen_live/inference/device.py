"""Compute devices: choosing one, proving that it works, and naming it. PyTorch is imported only where there is a card to ask."""

from __future__ import annotations

import ctypes
import importlib.metadata
import logging
import platform
import re
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import psutil

from gpen_live.errors import DeviceError, UsageError, reason_of
from gpen_live.messages import Message, message

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

ALLOWED = "auto, cpu, cuda, cuda:N or mps"


@dataclass(frozen=True)
class Device:
    """Where networks run: the processor ("cpu"), an NVIDIA card ("cuda") by its number, Apple's GPU ("mps")."""

    type: Literal["cpu", "cuda", "mps"]
    index: int = 0

    def torch(self) -> torch.device:
        """The same for PyTorch, which is imported."""
        import torch

        return torch.device(str(self))

    def __str__(self) -> str:
        return f"cuda:{self.index}" if self.type == "cuda" else self.type


CPU: Final = Device("cpu")


def check_device_name(name: str) -> None:
    """Raises UsageError unless `name` has the form of a device; asks no hardware and imports nothing heavy."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise UsageError("device.unknown", name=name, allowed=ALLOWED)


def choose_device(name: str, notes: list[Message] | None = None) -> Device:
    """The device for `name`; "auto" takes what works: CUDA, then MPS, then the processor.

    A device that was asked for by name is used or refused, never replaced: a silent fall-back to the processor is the most common
    complaint about tools of this kind.

    Args:
        notes: gets a message about each device that is there and that "auto" could not take.

    Raises:
        UsageError: no such name. DeviceError: this machine or this PyTorch has no such device, or it fails a first operation.
    """
    check_device_name(name)
    if name != "auto":
        return _named(name)
    for may_be_there, candidate in ((may_have_card, "cuda"), (may_have_apple_gpu, "mps")):
        if not may_be_there():
            continue
        try:
            return _named(candidate)
        except DeviceError as error:
            note = message("device.passed_over", cause=error.message)
            _log.warning("%s", note)
            if notes is not None:
                notes.append(note)
    return CPU


def _named(name: str) -> Device:
    kind, _, number = name.partition(":")
    if kind == "cpu":
        return CPU
    device = Device("cuda", int(number or 0)) if kind == "cuda" else Device("mps")
    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:
        raise DeviceError("device.no_pytorch", device=name, reason=reason_of(error)) from error
    _check_there(device)
    with exclusive(device):
        _prove(device)
    return device


def _check_there(device: Device) -> None:
    import torch

    if device.type == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceError("device.no_apple_gpu")
        return
    if not torch.cuda.is_available():
        raise DeviceError("device.no_nvidia_gpu")
    count = torch.cuda.device_count()
    if device.index >= count:
        there = ", ".join(str(Device("cuda", index)) for index in range(count))
        raise DeviceError("device.absent", device=device, there=there)


def _prove(device: Device) -> None:
    """Runs a small convolution on the device and checks its sum: a device that is listed is not yet one that works."""
    import torch

    there = device.torch()
    try:
        picture = torch.ones(1, 1, 8, 8, device=there)
        total = float(torch.nn.functional.conv2d(picture, torch.ones(1, 1, 3, 3, device=there)).sum())
    except (RuntimeError, AssertionError) as error:  # an assertion: PyTorch without CUDA
        raise DeviceError("device.first_operation", device=device, reason=reason_of(error)) from error
    if total != 324.0:
        raise DeviceError("device.wrong_results", device=device)


def may_have_card() -> bool:
    """Whether there can be a card that PyTorch calls "cuda", found out without PyTorch: its import takes seconds."""
    return nvidia_cards() > 0 or may_have_amd_card()


def nvidia_cards(open_library: Callable[[str], Any] = ctypes.CDLL) -> int:
    """How many cards NVIDIA's driver lists to this process; 0 without a driver.

    Args:
        open_library: gives the functions of a shared library by its name, or raises OSError.
    """
    try:
        driver = open_library("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    except (OSError, AttributeError):
        return 0
    return 0 if failed else count.value


def may_have_amd_card(driver: Path = Path("/dev/kfd")) -> bool:
    """Whether PyTorch is a build for AMD's cards, which it calls "cuda" too, and their driver is there."""
    try:
        return driver.exists() and "rocm" in importlib.metadata.version("torch")
    except (importlib.metadata.PackageNotFoundError, OSError):
        return False


def may_have_apple_gpu() -> bool:
    """Whether this is a Mac with a processor of Apple's own; PyTorch uses no other GPU there."""
    return platform.system() == "Darwin" and platform.machine() == "arm64"


def describe_device(device: Device) -> str:
    """The device for people: "cuda:0 (NVIDIA H100)", "cpu (AMD EPYC, 2 cores)"."""
    if device.type == "cuda":
        import torch

        return f"{device} ({torch.cuda.get_device_name(device.torch())})"
    if device.type == "mps":
        return f"mps ({platform.processor() or platform.machine()})"
    count = psutil.cpu_count(logical=False) or 1
    return f"cpu ({cpu_name()}, {count} core{'s' if count > 1 else ''})"


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


def synchronize(device: Device) -> None:
    """Waits until the device has done what this thread gave it (on its current stream); nothing to wait for on the processor."""
    if device.type == "cpu":
        return
    import torch

    if device.type == "cuda":
        # Not all streams' end: that can't be waited for while another thread records a graph.
        torch.cuda.current_stream(device.torch()).synchronize()
    else:
        torch.mps.synchronize()


_TURNS: Final = {"mps": threading.RLock()}
_NO_TURNS: Final = nullcontext()


def exclusive(device: Device) -> AbstractContextManager[object]:
    """To be held by a thread while it uses the device, where that bears one at a time: PyTorch crashes when two use MPS.

    A thread may enter it again. Loading holds it call by call, so that frames get their turn in between.
    """
    return _TURNS.get(device.type, _NO_TURNS)


def background_stream(device: Device) -> AbstractContextManager[object]:
    """Work given to a CUDA device in this context goes to a stream of this thread's own, beside that of the live frames."""
    if device.type != "cuda":
        return nullcontext()
    import torch

    from gpen_live.kernels.streams import stream_for

    return torch.cuda.stream(stream_for("background", device.torch()))


def low_priority_stream(device: Device) -> torch.cuda.Stream:
    """A stream of a CUDA device, of the lowest priority that it offers among those of this process.

    One of a pool: to be asked for once, not once a frame (see `gpen_live.kernels.streams`).
    """
    import torch

    lowest, _ = torch.cuda.Stream.priority_range()  # type: ignore[call-arg]  # a static method, which its stub does not say
    return torch.cuda.Stream(device.torch(), priority=lowest)  # type: ignore[no-untyped-call]


def peak_memory_mb(device: Device) -> float:
    """Most GPU memory held so far by this process's PyTorch, in MB; 0 on the processor."""
    if device.type == "cpu":
        return 0.0
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device.torch()) / 1e6
    return torch.mps.driver_allocated_memory() / 1e6
