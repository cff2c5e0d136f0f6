"""Recording to a video file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gpen_live.errors import SinkError, UsageError
from gpen_live.frame import Array, PixelFormat, Size
from gpen_live.sinks.base import Sink, even

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}
SUFFIXES = tuple(_FORMATS)

# Written out fragment by fragment: what is there can be played at any moment.
_OPTIONS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof",  # MP4, MOV
    "cluster_time_limit": "1000",  # MKV, milliseconds
    "flush_packets": "1",
}
_X264 = {"preset": "ultrafast", "crf": "17", "tune": "zerolatency"}
_KEYFRAME_SECONDS = 1
_BT601, _LIMITED = 5, 1  # AVCOL_SPC_BT470BG, AVCOL_RANGE_MPEG


class RecorderSink(Sink):
    """Records H.264 (MPEG-4 part 2 where FFmpeg comes without x264), 4:2:0, at a constant frame rate.

    An existing file is overwritten. The file is written in fragments of a second, so that it can be played up to there even when
    the program is killed. Odd sides are one pixel larger in the file (see `sinks.base.even`).

    Raises:
        UsageError: the name's ending is not one of SUFFIXES.
        SinkError: the file can't be created or written.
    """

    wants = PixelFormat.I420

    def __init__(self, path: Path, *, size: Size, fps: float) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(f'"{path.name}" is no name of a recording.', f"It must end in {', '.join(SUFFIXES)}.")
        self.label = path.name
        self._path = path
        self._size = even(size)
        self._sent = 0
        _check_writable(path)
        import av

        try:
            container_format = _FORMATS[path.suffix.lower()]
            self._container: OutputContainer | None = av.open(str(path.absolute()), "w", container_format, options=_OPTIONS)
            self._stream = _add_stream(self._container, self._size, Fraction(fps).limit_denominator(1001))
            self._container.start_encoding()
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def send(self, pixels: Array) -> None:
        """Encodes one I420 picture, H*3/2 x W."""
        import av

        if self._container is None:
            raise SinkError(f"The recording {self.label} is already finished.")
        if pixels.shape != (self._size.height * 3 // 2, self._size.width):
            raise SinkError(
                f"The recording {self.label} takes frames of {self._size} only.", "Start a new recording for another size."
            )
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels, dtype=np.uint8), format="yuv420p")
        frame.colorspace, frame.color_range = _BT601, _LIMITED
        frame.pts = self._sent
        self._sent += 1
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Writes what is left and finishes the file."""
        import av

        container, self._container = self._container, None
        if container is None:
            return
        try:
            try:
                container.mux(self._stream.encode(None))
            finally:
                container.close()
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> SinkError:
        return SinkError(f"{self._path} can't be written ({error}).", "Check the free space and your permission to write there.")


def _check_writable(path: Path) -> None:
    """Opens the file for writing, for its plain reasons why that can't be; leaves what is in it as it is."""
    if not path.parent.is_dir():
        raise SinkError(f"There is no folder {path.parent} to record into.", "Create it, or choose another one.")
    if path.is_dir():
        raise SinkError(f"{path} is a folder.", "Give the recording another name.")
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise SinkError(f"{path} can't be written ({error.strerror}).", "Choose a folder that you may write to.") from error


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
