"""Recording to a video file, with sentences for what goes wrong, and an end in order before the disk is full."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from gpen_live.errors import SinkError, UsageError
from gpen_live.frame import Array, PixelFormat, Size
from gpen_live.media.muxer import FORMATS, Muxer
from gpen_live.sinks.base import Sink, even

SUFFIXES = tuple(FORMATS)
_ROOM = 64 * 2**20  # bytes; with less a recording ends in order: its index, and other programs, need some
_LOOK_EVERY_S = 1.0


class RecorderSink(Sink):
    """Records each frame at its own moment; see `media.muxer.Muxer`.

    Once a second the disk's room is looked at, and the recording ends before there is none. Odd sides are one pixel larger in the
    file (see `sinks.base.even`).

    Raises:
        UsageError: the name's ending is not one of SUFFIXES.
        SinkError: the file can't be created or written, or there is no room.
    """

    wants = PixelFormat.I420

    def __init__(self, path: Path, *, size: Size, fps: float) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(f'"{path.name}" is no name of a recording.', f"It must end in {', '.join(SUFFIXES)}.")
        self.label = path.name
        self._path = path
        self._size = even(size)
        self._failed = False
        self._look_at: float | None = None
        _check_writable(path)
        try:
            self._muxer: Muxer | None = Muxer(path, size=self._size, fps=fps)
        except OSError as error:
            raise self._failure(error) from error

    def send(self, pixels: Array, at: float) -> None:
        """Encodes one I420 picture, H*3/2 x W. After an error, `close` leaves what was recorded so far."""
        if self._muxer is None:
            raise SinkError(f"The recording {self.label} is already finished.")
        if pixels.shape != (self._size.height * 3 // 2, self._size.width):
            raise SinkError(
                f"The recording {self.label} takes frames of {self._size} only.", "Start a new recording for another size."
            )
        if self._look_at is None or abs(at - self._look_at) >= _LOOK_EVERY_S:
            self._look_at = at
            if _little_room(self._path):
                what = f"The disk is nearly full, so the recording {self.label} ended; what was recorded is there."
                raise SinkError(what, "Make room on that disk, or record to another one.")
        try:
            self._muxer.write(pixels, at)
        except OSError as error:
            self._failed = True
            raise self._failure(error) from error

    def close(self) -> None:
        """Writes what is left and finishes the file; one that could not be written to its end is cut to what can be played."""
        muxer, self._muxer = self._muxer, None
        if muxer is None:
            return
        try:
            muxer.finish()
        except OSError as error:
            if not self._failed:  # else it has been said
                raise self._failure(error) from error

    def _failure(self, error: OSError) -> SinkError:
        reason = error.strerror or str(error)
        return SinkError(f"{self._path} can't be written ({reason}).", "Check the free space and your permission to write there.")


def _check_writable(path: Path) -> None:
    """Opens the file for writing, for its plain reasons why that can't be; leaves what is in it as it is."""
    if not path.parent.is_dir():
        raise SinkError(f"There is no folder {path.parent} to record into.", "Create it, or choose another one.")
    if path.is_dir():
        raise SinkError(f"{path} is a folder.", "Give the recording another name.")
    if _little_room(path):
        raise SinkError(f"There is no room to record {path}.", "Make room on that disk, or record to another one.")
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise SinkError(f"{path} can't be written ({error.strerror}).", "Choose a folder that you may write to.") from error


def _little_room(path: Path) -> bool:
    with suppress(OSError):  # a disk that is gone says so when it is written to
        return shutil.disk_usage(path.parent).free < _ROOM
    return False
