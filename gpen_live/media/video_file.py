"""The file under a recording: what can be played already stays so to the end, whatever ends it."""

from __future__ import annotations

import io
import os
import struct
from contextlib import suppress
from pathlib import Path


class VideoFile:
    """A file for a muxer to write. It appends at once, and holds back what changes earlier bytes until all else is on the disk.

    At the end of a film muxers go back and change its head, after which its parts mean nothing without the index that comes next:
    with a full disk, or when the program is killed in between, the whole film would be lost (FFmpeg's `hybrid_fragmented`).

    Raises:
        OSError: the file can't be created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = io.FileIO(path, "w")
        self._at = self._end = 0
        self._changes: list[tuple[int, bytes]] = []
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Takes all of it, or raises OSError."""
        known = max(0, min(len(data), self._end - self._at))
        if known:
            self._changes.append((self._at, bytes(data[:known])))
        rest = memoryview(data)[known:]
        try:
            while rest:  # a disk that is nearly full takes less than it is given
                written = self._file.write(rest)
                rest = rest[written:]
                self._end += written
        except OSError as error:
            self._error = error
            raise
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def finish(self) -> None:
        """Writes what was held back, and closes.

        Raises:
            OSError: the disk refuses, or has refused a part; a muxer may have passed over that.
        """
        if self._error is not None:
            raise self._error
        with self._file:
            for at, data in self._changes:
                self._file.seek(at)
                self._file.write(data)

    def abandon(self) -> None:
        """Closes a file that could not be written to its end, without its last part, which is cut off."""
        self._file.close()
        with suppress(OSError):
            _cut_to_whole_fragments(self._path)


def _cut_to_whole_fragments(path: Path) -> None:
    """Takes away what of an MP4 or MOV was not written to its end: some players stumble over it. Leaves other files as they are.

    ISO/IEC 14496-12: a row of boxes, each begun by its length (4 bytes, or 8 after the kind if that is 1) and its kind; the first
    is an ftyp, a fragment is a moof and its mdat. Readers of Matroska pass over a cluster that is cut off.
    """
    with path.open("r+b") as file:
        end = os.fstat(file.fileno()).st_size
        at = whole = 0
        while at + 16 <= end:
            file.seek(at)
            length, kind, longer = struct.unpack(">I4sQ", file.read(16))
            at += longer if length == 1 else max(length, 8)
            if at > end or (whole == 0 and kind not in (b"ftyp", b"free", b"wide", b"moov")):
                break
            if kind in (b"moov", b"mdat"):
                whole = at
        if whole:
            file.truncate(whole)
