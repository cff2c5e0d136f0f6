"""The capture thread: opens sources, reads them, stamps each frame with its number and time."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from gpen_live.errors import SourceError, reason_of
from gpen_live.frame import Frame, Image, Size
from gpen_live.live.config import LiveConfig
from gpen_live.live.opening import Departures, Opening
from gpen_live.live.pacing.clock import now
from gpen_live.live.session import Session
from gpen_live.live.slot import Slot
from gpen_live.live.status.board import as_plain
from gpen_live.live.status.snapshot import Health
from gpen_live.media.fit import fit
from gpen_live.messages import message
from gpen_live.sources import open_source
from gpen_live.sources.base import Source
from gpen_live.sources.camera import CameraSource
from gpen_live.sources.identity import CameraIdentity

RETRY_S = 0.5
_CLOSE_S = 1.5
_IDLE_S = 0.02
_DRAINED_S = 0.25  # after the system has slept, a camera first delivers what its driver still held
_PLAUSIBLE_FPS = (5.0, 240.0)
_USUAL_FPS = 30.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _SourceRequest:
    """What must be opened anew when it changes. `attempt` counts the user's and the camera's retries."""

    source: str
    size: Size | None
    fps: float | None
    attempt: int

    @property
    def is_camera(self) -> bool:
        return self.source.startswith(("camera:", "/dev/video"))


@dataclass
class _Opened:
    """An open source, the name by which it was opened, and, of a camera, how to find it again."""

    source: Source
    spec: str
    camera_identity: CameraIdentity | None
    label: str

    def close(self) -> None:
        self.source.close()


class Capture:
    """Runs the capture thread. `ended` is set once there will be no more frames.

    Args:
        max_frames: `ended` after so many.
        opener: called instead of `open_source`.
    """

    def __init__(self, session: Session, *, max_frames: int | None = None, opener: Callable[..., Source] | None = None) -> None:
        self._session, self._board, self._stop = session, session.board, session.stop
        self._open_source = opener or open_source
        self._max_frames = max_frames
        # The second place is for threads that the system holds up now and then; the engine's decides who may wait there.
        self.frames: Slot[Frame] = Slot(2)
        self.ready = threading.Event()
        """Reading starts once it is set."""
        self.ended = threading.Event()
        self.output_size: Size | None = None
        self.output_fps = _USUAL_FPS
        self.pin: Callable[[Image], Image] = lambda image: image
        self.scene = 0  # counts sources: another number, another scene
        self._source: Source | None = None
        self._current: _SourceRequest | None = None
        self._wanted: _SourceRequest | None = None
        self._opening: Opening[_Opened] | None = None
        self._departures = Departures()
        self._attempt = 0
        self._place = ""  # the spec of what is open, or was last
        self._known: CameraIdentity | None = None  # the camera that was asked for, under whatever number it is
        self._lost: str | None = None  # the camera that worked and went away
        self._retry_at: float | None = None
        self._number = 0
        self._odd = ""

    def retry(self) -> None:
        """Opens the source anew, whatever has its number now."""
        self._known = None
        self._attempt += 1

    def run(self) -> None:
        while not self._stop.is_set() and not self.ended.is_set():
            self._follow_wishes()
            if self._source is None or not self.ready.is_set():
                self._stop.wait(_IDLE_S)
            else:
                self._read(self._source)
        self.let_go()
        self._departures.wait(_CLOSE_S)

    def let_go(self) -> None:
        """Closes what is open; `run` opens it again."""
        self._abandon()
        self._close()
        self._wanted = None

    def _follow_wishes(self) -> None:
        config = self._session.config
        if self._wanted is not None and config.source != self._wanted.source:
            self._lost = self._retry_at = self._known = None
        if self._retry_at is not None and now() >= self._retry_at:
            self._retry_at = None
            self._attempt += 1
        wanted = _SourceRequest(config.source, config.size, config.fps, self._attempt)
        if wanted != self._wanted:
            self._wanted = wanted
            self._start_opening(wanted, config)
        if self._opening is not None and self._opening.done:
            opening, self._opening = self._opening, None
            self._adopt(wanted, opening)

    def _start_opening(self, wanted: _SourceRequest, config: LiveConfig) -> None:
        self._abandon()
        if self._current is not None and wanted.source in (self._current.source, self._place):
            self._close()  # a camera can't be opened twice
        if self._source is None and self._lost is None:
            self._board.write("source", Health.STARTING, wanted.source)
        known = self._known

        def opened() -> _Opened:
            spec = wanted.source if known is None else known.now()
            source = self._open_source(spec, size=wanted.size, fps=wanted.fps, realtime=True, loop=config.loop)
            camera = CameraIdentity.of(wanted.source, source) if known is None and isinstance(source, CameraSource) else known
            return _Opened(source, spec, camera, source.label)

        before = {wanted.source, self._place}
        self._opening = Opening(wanted.source, opened, after=[t for spec in before for t in self._departures.of(spec)])

    def _adopt(self, wanted: _SourceRequest, opening: Opening[_Opened]) -> None:
        if opening.opened is None:
            if self._lost == wanted.source:  # its note stays, and so does the last frame
                self._retry_at = now() + RETRY_S
                return
            self._close()
            self._current = wanted
            self._board.fail("source", wanted.source, opening.error or SourceError("live.unopened", name=wanted.source))
            return
        self._close()
        source, self._source, self._lost = opening.opened.source, opening.opened.source, None
        self._place, self._known = opening.opened.spec, opening.opened.camera_identity
        self.scene += 1
        # Without a wish the first source's size stays: programs that read a virtual camera rarely stand a change.
        kept = self.output_size if self._current is not None and self._current.size is None else None
        self.output_size = wanted.size or kept or source.size
        self.output_fps = wanted.fps or plausible(source.fps)
        self._current = wanted
        self._board.write("source", Health.OK, source.label)

    def _read(self, source: Source) -> None:
        start = now()
        try:
            image = source.read()
        except Exception as error:
            self._fail(source, error)
            return
        if image is None:
            self._at_its_end()
            return
        woken, at = self._session.sleep.ended_at(), now()
        if at < woken + _DRAINED_S and isinstance(source, CameraSource):
            return
        assert self.output_size is not None
        try:
            fitted = fit(image, self.output_size)
        except Exception as error:  # whatever a driver hands over, the next frame may be one
            if self._odd != str(error):  # not thirty times a second
                self._odd = str(error)
                _log.warning("%s delivered something that is no picture: %s", source.label, error)
            return
        self._session.meters.captured(at)
        media_time = at if source.media_time is None else source.media_time
        frame = Frame(self._pinned(fitted), self._number, at, media_time, {"capture": (at - start) * 1e3}, self.scene)
        self._number += 1
        if self.frames.put(frame) is not None:
            self._session.meters.dropped()
        if self._max_frames is not None and self._number >= self._max_frames:
            self.ended.set()

    def _pinned(self, image: Image) -> Image:
        try:
            return self.pin(image)
        except Exception as error:  # it serves as it is
            self._board.note(as_plain(error, message("live.pin_failed", reason=reason_of(error))).message)
            return image

    def _at_its_end(self) -> None:
        """The source has no more frames: so has the run, unless another source is about to take over."""
        self._close()
        if self._opening is None and self._wanted is not None and self._session.config.source == self._wanted.source:
            self.ended.set()

    def _fail(self, source: Source, error: Exception) -> None:
        """A source that worked has failed: the last frame stays with viewers, a camera is tried again until it is back."""
        self._close()  # at once, beside this thread: a driver that hangs may take its time
        wanted = self._wanted
        if wanted is None or not wanted.is_camera:
            self._board.fail("source", source.label, error)
            return
        plain = as_plain(error, message("live.failed", name=source.label, reason=reason_of(error)))
        self._board.write("source", Health.WARNING, source.label, message("live.camera_lost", cause=plain.message))
        self._lost, self._retry_at = wanted.source, now() + RETRY_S

    def _abandon(self) -> None:
        """Nobody waits any longer for what is being opened: it is closed once it is open."""
        if self._opening is not None:
            opening, self._opening = self._opening, None
            self._departures.start(opening.spec, lambda: _close(opening.wait()))

    def _close(self) -> None:
        if self._source is None:
            return
        source, self._source = self._source, None
        if isinstance(source, CameraSource):
            self._departures.start(self._place, lambda: _close(source))
        else:
            _close(source)


def _close(source: Source | _Opened | None) -> None:
    if source is None:
        return
    try:
        source.close()
    except Exception:
        _log.exception("closing %s failed", source.label)


def plausible(fps: float) -> float:
    """A source's own rate, or 30 where it can't be one (some films claim 1000 or 0.1 frames a second)."""
    low, high = _PLAUSIBLE_FPS
    return fps if math.isfinite(fps) and low <= fps <= high else _USUAL_FPS
