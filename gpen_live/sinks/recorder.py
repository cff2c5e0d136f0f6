"""Recording to a video file, with plain errors for what goes wrong, and an end in order before the disk is full."""

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
            raise UsageError("recording.ending", file=path.name, endings=", ".join(SUFFIXES))
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
            raise SinkError("recording.finished", file=self.label)
        if pixels.shape != (self._size.height * 3 // 2, self._size.width):
            raise SinkError("recording.size", file=self.label, size=self._size)
        if self._look_at is None or abs(at - self._look_at) >= _LOOK_EVERY_S:
            self._look_at = at
            if _little_room(self._path):
                raise SinkError("recording.full", file=self.label)
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
        return SinkError("recording.unwritable", path=self._path, reason=error.strerror or error)


def _check_writable(path: Path) -> None:
    """Opens the file for writing, for its plain reasons why that can't be; leaves what is in it as it is."""
    if not path.parent.is_dir():
        raise SinkError("recording.no_folder", folder=path.parent)
    if path.is_dir():
        raise SinkError("recording.folder", path=path)
    if _little_room(path):
        raise SinkError("recording.no_room", path=path)
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise SinkError("recording.uncreatable", path=path, reason=error.strerror) from error


def _little_room(path: Path) -> bool:
    with suppress(OSError):  # a disk that is gone says so when it is written to
        return shutil.disk_usage(path.parent).free < _ROOM
    return False
