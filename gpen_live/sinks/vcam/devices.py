"""The devices behind a virtual camera, as its process drives them."""

from __future__ import annotations

import faulthandler
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gpen_live.errors import SinkError
from gpen_live.sinks import loopback
from gpen_live.sinks.vcam.explain import NotAnOutput, explain, explain_loopback, joined, no_loopback
from gpen_live.system import v4l2

_KERNEL_NAMES = {"I420": "YU12", "NV12": "NV12"}
_HANG_S = 5.0


@dataclass(frozen=True)
class Wish:
    """What to open: frames of `width` x `height` (even numbers) in "I420" or "NV12", about `fps` a second.

    `device`: "/dev/videoN" on Linux, "OBS Virtual Camera" on Windows and macOS, or the name of a Unity Capture camera on Windows.
    None takes the one labelled "GPEN Live" on Linux, otherwise the first that is free.
    """

    device: str | None
    width: int
    height: int
    fps: float
    pixel_format: str


class Device(Protocol):
    """An open virtual camera; `label` names it for people."""

    label: str

    def send(self, frame: memoryview) -> None:
        """Hands the driver a frame; raises SinkError where it did not take it."""

    def close(self) -> None:
        """Releases it: programs that show it get no more frames."""


def open_device(wish: Wish, system: str | None = None) -> Device:
    """Opens a virtual camera of this system.

    Raises:
        SinkError: it is not installed, in use, or may not be used; says what to do.
    """
    system = system or platform.system()
    return LoopbackDevice(wish) if system == "Linux" else LibraryDevice(wish, system)


class LoopbackDevice:
    """v4l2loopback's device, written to by the kernel's own interface: what the driver did not take is known."""

    def __init__(self, wish: Wish) -> None:
        self._bytes = wish.width * wish.height * 3 // 2
        self._claim: loopback.Claim | None = None
        self._descriptor: int | None = None
        chosen = wish.device or loopback.own_device()
        if chosen is not None:
            loopback.revive(chosen)
            self._path, self._descriptor = chosen, _open_output(chosen)
        else:
            self._path, self._descriptor = _first_free()
        self.label = loopback.label(self._path)
        try:
            v4l2.set_output_format(self._descriptor, wish.width, wish.height, _KERNEL_NAMES[wish.pixel_format])
        except OSError as error:
            self.close()
            raise explain_loopback(error, self._path) from error
        shown = loopback.shown_size(self._path)
        if shown not in (None, (wish.width, wish.height)):
            self.close()
            size = "{}x{}".format(*shown or ())
            raise SinkError("vcam.shown_otherwise", name=self.label, size=size)

    def send(self, frame: memoryview) -> None:
        if self._descriptor is None:
            raise SinkError("vcam.closed", name=self.label)
        if self._claim is not None:
            self._claim.keep_viewers()
        try:
            written = os.write(self._descriptor, frame)
        except OSError as error:
            raise SinkError("vcam.frame_refused", name=self.label, reason=error.strerror) from error
        if written != self._bytes:
            raise SinkError("vcam.frame_short", name=self.label, written=written, bytes=self._bytes)
        if self._claim is None:  # not before the first frame: later drivers would give the output to it
            self._claim = loopback.Claim(self._path)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        if self._claim is not None:
            self._claim.close()
            self._claim = None


def _open_output(path: str) -> int:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_SYNC | os.O_CLOEXEC)
    except OSError as error:
        raise explain_loopback(error, path) from error
    try:
        if not v4l2.is_loopback_output(descriptor):
            raise NotAnOutput(f"{path} takes no frames")
    except OSError as error:
        os.close(descriptor)
        raise explain_loopback(error, path) from error
    return descriptor


def _first_free() -> tuple[str, int]:
    """The first device of v4l2loopback that nobody sends to."""
    for path in loopback.device_nodes():
        try:
            return path, _open_output(path)
        except SinkError as error:
            if isinstance(error.__cause__, PermissionError):
                raise
    raise no_loopback()


class LibraryDevice:
    """OBS's or Unity Capture's camera on Windows, OBS's on macOS, through pyvirtualcam."""

    def __init__(self, wish: Wish, system: str) -> None:
        self._camera: Any = None
        try:
            import pyvirtualcam

            self._camera = pyvirtualcam.Camera(
                wish.width, wish.height, wish.fps, fmt=pyvirtualcam.PixelFormat[wish.pixel_format], device=wish.device
            )
        except (RuntimeError, ValueError, OSError, ImportError) as error:
            raise explain(system, str(error), wish.device) from error
        self.label: str = self._camera.device
        self._complaints = Complaints()

    def send(self, frame: memoryview) -> None:
        if self._camera is None:
            raise SinkError("vcam.closed", name=self.label)
        import numpy as np

        try:
            with _limited():
                self._camera.send(np.frombuffer(frame, np.uint8))
            said = self._complaints.new()
        except (RuntimeError, ValueError, TypeError, OSError) as error:
            said = joined(str(error)) or type(error).__name__
        if said:
            raise SinkError("vcam.frame_refused", name=self.label, reason=said)

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()
            self._complaints.close()


class Complaints:
    """What the library prints, for it raises nothing when a frame could not be sent: the error output, led into a file."""

    def __init__(self, output: int = 2) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  closed with the camera
        self._output, self._before = output, os.dup(output)
        os.dup2(self._file.fileno(), output)

    def new(self) -> str:
        """What was printed since this was last asked for."""
        size = os.fstat(self._file.fileno()).st_size
        if size == 0:
            return ""
        self._file.seek(0)
        text = self._file.read()
        self._file.seek(0)
        self._file.truncate()
        return joined(text.decode(errors="replace"))

    def close(self) -> None:
        os.dup2(self._before, self._output)
        os.close(self._before)
        self._file.close()


@contextmanager
def _limited() -> Iterator[None]:
    """Ends the process where the library does not come back, for it keeps Python's interpreter: the app may be gone by then."""
    with Path(os.devnull).open("w") as nowhere:
        faulthandler.dump_traceback_later(_HANG_S, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
