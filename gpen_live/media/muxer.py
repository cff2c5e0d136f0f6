"""Pictures with their moments into a video file that can be played whatever ends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gpen_live.frame import Array, Size
from gpen_live.media.time_stamps import TIME_BASE, TimeStamps
from gpen_live.media.video_file import VideoFile

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}
"""What the muxer is called in FFmpeg, by a file's ending."""

KEYFRAME_S = 1.0
"""Between two keyframes, and so the most that is lost with a kill."""

# Written out fragment by fragment: what is there can be played at any moment. An ordinary end turns an MP4 or MOV in place into
# the ordinary kind, with one index for all of it; a Matroska file gets its index there too.
_FRAGMENTS = {"movflags": "hybrid_fragmented+empty_moov+default_base_moof", "flush_packets": "1"}
_OPTIONS = {
    "mp4": _FRAGMENTS,
    "mov": _FRAGMENTS,
    "matroska": {"cluster_time_limit": "1000", "flush_packets": "1"},  # milliseconds
}
_X264 = {"preset": "ultrafast", "crf": "17", "tune": "zerolatency"}
_BT601, _LIMITED = 5, 1  # AVCOL_SPC_BT470BG, AVCOL_RANGE_MPEG
_BUFFER = 2**18


class Muxer:
    """Writes H.264 (MPEG-4 part 2 where FFmpeg comes without x264), 4:2:0, each frame at its own moment.

    An existing file is overwritten. There is a keyframe, and a fragment of the file, for each second, so that it can be played up
    to there even when the program is killed or the disk is full; finished in order it is an ordinary film.

    Args:
        path: its ending is one of FORMATS. size: even numbers. fps: about how many frames a second; a hint to players.

    Raises:
        OSError: the file can't be created; so do the methods when it can't be written.
    """

    def __init__(self, path: Path, *, size: Size, fps: float) -> None:
        import av

        kind = FORMATS[path.suffix.lower()]
        self._stamps = TimeStamps(fps)
        self._next_key = 0
        self._size = size
        self._file = VideoFile(path)
        try:
            with _plain_errors():
                self._container: OutputContainer | None = av.open(
                    self._file, "w", kind, options=_OPTIONS[kind], buffer_size=_BUFFER
                )
                self._stream = _add_stream(self._container, size, Fraction(fps).limit_denominator(1001))
                self._container.start_encoding()
        except OSError:
            self._file.abandon()
            raise
        self._early = 0.5 / fps  # a keyframe may come half a frame early, but none late

    def write(self, pixels: Array, at: float) -> None:
        """Adds an I420 picture, H*3/2 x W, uint8, of the moment `at` in seconds; see `TimeStamps`. After an error: `finish`."""
        import av
        from av.video.frame import PictureType

        if self._container is None:
            raise ValueError("it is finished")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels, dtype=np.uint8), format="yuv420p")
        frame.colorspace, frame.color_range = _BT601, _LIMITED
        frame.pts, frame.time_base = self._stamps.stamp(at), TIME_BASE
        if frame.pts >= self._next_key:
            frame.pict_type = PictureType.I
            self._next_key = frame.pts + round((KEYFRAME_S - self._early) / TIME_BASE)
        with _plain_errors():
            self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Writes what is left; a file that could not be written to its end is cut to what can be played. May be called twice."""
        container, self._container = self._container, None
        if container is None:
            return
        try:
            with _plain_errors():
                try:
                    container.mux(self._stream.encode(None))
                finally:
                    container.close()
                self._file.finish()
        except OSError:
            self._file.abandon()
            raise


@contextmanager
def _plain_errors() -> Iterator[None]:
    """FFmpeg's errors as the system's."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error


def _add_stream(container: OutputContainer, size: Size, rate: Fraction) -> VideoStream:
    import av

    stream: VideoStream
    if "libx264" in av.codecs_available:
        stream = container.add_stream("libx264", rate=rate, options=dict(_X264))
    else:
        stream = container.add_stream("mpeg4", rate=rate, options={"qscale": "3"})
    stream.width, stream.height, stream.pix_fmt = size.width, size.height, "yuv420p"
    context = stream.codec_context
    stream.time_base = context.time_base = TIME_BASE
    context.gop_size = max(1, round(4 * rate * KEYFRAME_S))  # `write` asks for them by the clock
    context.colorspace, context.color_range = _BT601, _LIMITED
    return stream
