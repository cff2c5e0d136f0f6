"""Video files through PyAV, played like a camera."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from gpen_live.errors import SourceError
from gpen_live.frame import Image, Size
from gpen_live.sources.base import Source
from gpen_live.sources.pacing import sleep_until

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

_FALLBACK_FPS = 30.0
_MAX_LATE = 1.0  # seconds; whoever is later (the machine slept) goes on from where the file is instead of catching up
_MAX_WAIT = 0.5  # seconds; a longer still passage repeats its picture, as a camera would
_MAX_UNDECODABLE = 100  # packets in a row
_DECODER_THREADS = 2  # the networks need the other cores
_ROTATIONS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}
_OPTIONS = {
    # Containers of films only: FFmpeg would else show text files as pictures, and follow playlists into the network.
    "format_whitelist": "mov,mp4,matroska,webm,gif,avi,mpegts,mpeg,flv,asf,ogg,m4v,mpegvideo,h264,hevc",
    "protocol_whitelist": "file",
}


class VideoSource(Source):
    """Plays a video file.

    In real time each frame comes when its time stamp is due; a late reader misses frames, as with a camera. Otherwise every frame
    comes once, at once. Rotation metadata is applied. A frame that changes size midway is passed on in its own size.

    Raises:
        SourceError: the file is no video, has no pictures, or can't be decoded any further.
    """

    def __init__(self, path: Path, *, realtime: bool = True, loop: bool = False) -> None:
        self.label = path.name
        self._path = path
        self._realtime = realtime
        self._loop = loop
        self._container: InputContainer | None = None
        self._started: float | None = None
        self._shown: VideoFrame | None = None
        self._frames = self._play()
        self.fps = _FALLBACK_FPS
        self._upcoming = next(self._frames, None)
        if self._upcoming is None:
            self.close()
            raise SourceError("video.no_pictures", file=path.name)
        self.size = Size.of(_to_bgr(self._upcoming[1]))

    def read(self) -> Image | None:
        """The next frame, when it is due; None at the end (never when looping)."""
        current = self._take()
        if current is None:
            return None
        self.media_time = current[0]
        if not self._realtime:
            return _to_bgr(current[1])

        now = time.perf_counter()
        if self._started is None:
            self._started = now - current[0]
        late = now - self._started - current[0]
        if late > _MAX_LATE:
            self._started += late
        elif late < -_MAX_WAIT and self._shown is not None:
            self._upcoming = current
            sleep_until(now + _MAX_WAIT)
            self.media_time = now + _MAX_WAIT - self._started
            return _to_bgr(self._shown)
        elif late > 0:
            while (following := self._take()) is not None:
                if self._started + following[0] > now:
                    self._upcoming = following
                    break
                current = following
        sleep_until(self._started + current[0])
        self.media_time, self._shown = current
        return _to_bgr(self._shown)

    def close(self) -> None:
        """Closes the file."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def _take(self) -> tuple[float, VideoFrame] | None:
        taken, self._upcoming = self._upcoming, None
        return taken if taken is not None else next(self._frames, None)

    def _play(self) -> Iterator[tuple[float, VideoFrame]]:
        """All frames of all rounds, each with the time in seconds, from the start of the first round, at which it is due."""
        due = 0.0
        while True:
            base, first, at = due, None, -1 / self.fps
            for frame in self._decode():
                stamp = _time_of(frame)
                at = at + 1 / self.fps if stamp is None else stamp
                first = at if first is None else first
                due = max(due, base + at - first)
                yield due, frame
            if not self._loop or first is None:
                return
            due += 1 / self.fps

    def _decode(self) -> Iterator[VideoFrame]:
        import av

        self.close()
        container = self._container = self._open()
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = _DECODER_THREADS
        self.fps = float(stream.average_rate or stream.guessed_rate or _FALLBACK_FPS)
        packets = container.demux(stream)
        undecodable = 0
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except av.FFmpegError:
                undecodable += 1
                break
            try:
                frames = cast("list[VideoFrame]", packet.decode())
            except av.FFmpegError:
                undecodable += 1
                if undecodable > _MAX_UNDECODABLE:
                    break
                continue
            if frames:
                undecodable = 0
            yield from frames
        if undecodable:
            raise SourceError("video.damaged", file=self.label)

    def _open(self) -> InputContainer:
        import av

        try:
            container = av.open(str(self._path.absolute()), options=_OPTIONS, metadata_errors="replace")
        except (av.FFmpegError, OSError) as error:
            raise SourceError("video.unreadable", file=self.label) from error
        if not container.streams.video:
            container.close()
            raise SourceError("video.sound_only", file=self.label)
        if getattr(container.streams.video[0], "codec_context", None) is None:  # its header is cut off
            container.close()
            raise SourceError("video.damaged_header", file=self.label)
        return container


def _time_of(frame: VideoFrame) -> float | None:
    return frame.time


def _to_bgr(frame: VideoFrame) -> Image:
    image = np.ascontiguousarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)
    turn = _ROTATIONS.get(round(frame.rotation / 90) % 4)
    return image if turn is None else np.ascontiguousarray(cv2.rotate(image, turn), dtype=np.uint8)
