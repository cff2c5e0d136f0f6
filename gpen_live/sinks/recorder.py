"""Recording to a video file that can be played whatever happens: a kill, a disk that fills up, an ordinary end."""

from __future__ import annotations

import shutil
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gpen_live.errors import SinkError, UsageError
from gpen_live.frame import Array, PixelFormat, Size
from gpen_live.media.video_file import VideoFile
from gpen_live.sinks.base import Sink, even

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}
SUFFIXES = tuple(_FORMATS)

# Written out fragment by fragment: what is there can be played at any moment. An ordinary end turns an MP4 or MOV in place into
# the ordinary kind, with one index for all of it; a Matroska file gets its index there too.
_FRAGMENTS = {"movflags": "hybrid_fragmented+empty_moov+default_base_moof", "flush_packets": "1"}
_OPTIONS = {
    "mp4": _FRAGMENTS,
    "mov": _FRAGMENTS,
    "matroska": {"cluster_time_limit": "1000", "flush_packets": "1"},  # milliseconds
}
_X264 = {"preset": "ultrafast", "crf": "17", "tune": "zerolatency"}
_KEYFRAME_SECONDS = 1
_BT601, _LIMITED = 5, 1  # AVCOL_SPC_BT470BG, AVCOL_RANGE_MPEG
_BUFFER = 2**18
_ROOM = 64 * 2**20  # bytes; with less a recording ends in order: its index, and other programs, need some


class RecorderSink(Sink):
    """Records H.264 (MPEG-4 part 2 where FFmpeg comes without x264), 4:2:0, at a constant frame rate.

    An existing file is overwritten. The file is written in fragments of a second, so that it can be played up to there even when
    the program is killed or the disk is full; closed in order it is an ordinary film. Once a second the disk's room is looked at,
    and the recording ends before there is none. Odd sides are one pixel larger in the file (see `sinks.base.even`).

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
        self._sent = 0
        self._failed = False
        _check_writable(path)
        import av

        kind = _FORMATS[path.suffix.lower()]
        try:
            self._file = VideoFile(path)
        except OSError as error:
            raise self._failure(error) from error
        try:
            opened = av.open(self._file, "w", kind, options=_OPTIONS[kind], buffer_size=_BUFFER)
            self._stream = _add_stream(opened, self._size, Fraction(fps).limit_denominator(1001))
            opened.start_encoding()
        except (av.FFmpegError, OSError) as error:
            self._file.abandon()
            raise self._failure(error) from error
        self._container: OutputContainer | None = opened
        self._look_every = self._stream.codec_context.gop_size

    def send(self, pixels: Array) -> None:
        """Encodes one I420 picture, H*3/2 x W. After an error, `close` leaves what was recorded so far."""
        import av

        if self._container is None:
            raise SinkError(f"The recording {self.label} is already finished.")
        if pixels.shape != (self._size.height * 3 // 2, self._size.width):
            raise SinkError(
                f"The recording {self.label} takes frames of {self._size} only.", "Start a new recording for another size."
            )
        if self._sent % self._look_every == 0 and _little_room(self._path):
            what = f"The disk is nearly full, so the recording {self.label} ended; what was recorded is there."
            raise SinkError(what, "Make room on that disk, or record to another one.")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels, dtype=np.uint8), format="yuv420p")
        frame.colorspace, frame.color_range = _BT601, _LIMITED
        frame.pts = self._sent
        self._sent += 1
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            self._failed = True
            raise self._failure(error) from error

    def close(self) -> None:
        """Writes what is left and finishes the file; one that could not be written to its end is cut to what can be played."""
        import av

        container, self._container = self._container, None
        if container is None:
            return
        try:
            try:
                container.mux(self._stream.encode(None))
            finally:
                container.close()
            self._file.finish()
        except (av.FFmpegError, OSError) as error:
            self._file.abandon()
            if not self._failed:  # else it has been said
                raise self._failure(error) from error

    def _failure(self, error: Exception) -> SinkError:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
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


def _add_stream(container: OutputContainer, size: Size, rate: Fraction) -> VideoStream:
    import av

    stream: VideoStream
    if "libx264" in av.codecs_available:
        stream = container.add_stream("libx264", rate=rate, options=dict(_X264))
    else:
        stream = container.add_stream("mpeg4", rate=rate, options={"qscale": "3"})
    stream.width, stream.height, stream.pix_fmt = size.width, size.height, "yuv420p"
    context = stream.codec_context
    context.gop_size = max(1, round(rate * _KEYFRAME_SECONDS))
    context.colorspace, context.color_range = _BT601, _LIMITED
    return stream
