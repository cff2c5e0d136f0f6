"""The outputs: a sender for each that is asked for, all fed from one place, none waiting for another."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gpen_live.errors import SinkError
from gpen_live.frame import Array, Image, PixelFormat, Size
from gpen_live.live.capture import Capture
from gpen_live.live.config import FIRST_OUTPUT, output_parts
from gpen_live.live.sender import Sender, Shared
from gpen_live.live.session import Session
from gpen_live.live.status.snapshot import OutputState
from gpen_live.live.supervisor import Supervisor
from gpen_live.live.worker import Worker
from gpen_live.sinks import is_virtual_camera, open_sink
from gpen_live.sinks.base import Sink


class Outputs:
    """Follows the wish `sinks`. Any thread may call it.

    The first output is the one that the meters, the backlog policy and the board's part "sink" are about. An output that stays
    is not interrupted when others come and go, be it the first one before or after.

    Args:
        opener: called instead of `open_sink`.
    """

    def __init__(self, session: Session, capture: Capture, worker: Worker, opener: Callable[..., Sink] | None = None) -> None:
        self._session, self._capture, self._worker = session, capture, worker
        self._shared = Shared(opener or open_sink, self.choose_format)
        self._lock = threading.RLock()
        self._threads: Supervisor | None = None
        self._senders: list[Sender] = []
        self.follow()

    def start(self, threads: Supervisor) -> None:
        """Starts all senders, and from now on those that come."""
        with self._lock:
            self._threads = threads
            for sender in self._senders:
                self._run(sender, threads)

    def follow(self) -> None:
        """Makes the senders those of the present wishes."""
        with self._lock:
            parts = output_parts(self._session.config.sinks)
            by_spec = {sender.spec: sender for sender in self._senders if sender.spec in parts}
            leaving = [sender for sender in self._senders if sender.spec not in parts]
            for spec in parts:
                if spec not in by_spec:
                    # One that leaves goes over to the new output: the old one stays open until the new one is.
                    by_spec[spec] = leaving.pop(0) if leaving else self._new(spec)
                    by_spec[spec].spec = spec
            self._senders = [by_spec[spec] for spec in parts]
            self._worker.finished.lead_to(tuple(sender.inbox for sender in self._senders))
            for sender in leaving:
                sender.end()
            for sender in self._senders:
                sender.status.part = parts[sender.spec]
            self._session.board.keep_outputs(tuple(parts.values()))
            for sender in self._senders:
                sender.status.show()
            self.choose_format()

    def retry(self) -> None:
        """Opens the outputs again that have failed; where none has, the first one."""
        with self._lock:
            for sender in [sender for sender in self._senders if sender.status.failed] or self._senders[:1]:
                sender.retry()

    @property
    def done(self) -> bool:
        """All frames are out, and all outputs closed."""
        with self._lock:
            return all(sender.done.is_set() for sender in self._senders)

    def buffer(self, size: Size, pixel_format: PixelFormat) -> Array | None:
        """Where a frame may be made so that an output takes it without a copy; see `Sink.buffer`. For the engine's thread."""
        for sender in self._senders:  # replaced as a whole
            if (place := sender.buffer(size, pixel_format)) is not None:
                return place
        return None

    def states(self) -> tuple[OutputState, ...]:
        """How each of them is, in the order of the wishes."""
        with self._lock:
            return tuple(
                OutputState(sender.spec, sender.status.part, sender.status.now, sender.sent, sender.repeated)
                for sender in self._senders
            )

    def choose_format(self) -> None:
        """Has frames finished as an open virtual camera takes them, which costs least; without one, as the first output does."""
        with self._lock:
            wants = [(is_virtual_camera(sender.spec), sender.wants) for sender in self._senders]
        of_cameras = [form for camera, form in wants if camera and form is not None]
        formats = of_cameras or [form for _, form in wants if form is not None]
        if formats:
            self._worker.pixel_format = formats[0]

    def snapshot_image(self) -> Image:
        """The newest finished frame, H x W x 3, uint8, BGR: as viewers see it.

        Raises:
            SinkError: there is none yet.
        """
        newest = self._worker.finished.newest
        if newest is None:
            raise SinkError("live.no_frame")
        return newest.bgr()

    def _new(self, spec: str) -> Sender:
        sender = Sender(self._session, self._capture, self._worker, self._shared, spec)
        if self._threads is not None:
            self._run(sender, self._threads)
        return sender

    @staticmethod
    def _run(sender: Sender, threads: Supervisor) -> None:
        threads.start("sender", FIRST_OUTPUT, sender.run, gave_up=sender.gave_up, instead=lambda over: sender.let_go())
