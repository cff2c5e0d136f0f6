"""Where finished frames leave the engine's thread: each goes to every output, newest first, and none waits for another."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from gpen_live.frame import Array, Frame, Image, PixelFormat, Size
from gpen_live.live.slot import Slot
from gpen_live.live.status.meters import Meters
from gpen_live.media.pixel_formats import restore


@dataclass
class Outgoing:
    """A finished frame of `size` on its way to the outputs: `pixels` in `pixel_format`; `bgr` is for those that take another one.

    Several threads have it at once: nothing in it is changed, but `times_ms` by the output that counts it.
    """

    size: Size
    pixels: Array
    pixel_format: PixelFormat
    image: Image | None
    number: int
    captured_at: float
    media_time: float
    ready_at: float
    enhanced: bool
    times_ms: dict[str, float]
    counted_by: Inbox | None = field(default=None, repr=False, compare=False)
    """Of the output that was the first one when it was handed over: what becomes of the frame there is what the meters say."""

    @classmethod
    def of(
        cls, frame: Frame, pixels: Array, pixel_format: PixelFormat, image: Image | None, *, ready_at: float, enhanced: bool
    ) -> Outgoing:
        """What became of `frame`."""
        return cls(
            size=Size.of(frame.image),
            pixels=pixels,
            pixel_format=pixel_format,
            image=image,
            number=frame.number,
            captured_at=frame.captured_at,
            media_time=frame.media_time,
            ready_at=ready_at,
            enhanced=enhanced,
            times_ms=frame.times_ms,
        )

    def bgr(self) -> Image:
        """The picture in BGR: as it was finished, or made from its pixels where it never came to the host."""
        return restore(self.pixels, self.pixel_format, self.size) if self.image is None else self.image


class Inbox(Slot[Outgoing]):
    """Where frames wait for one output."""

    def __init__(self) -> None:
        # The second place is for threads that the system holds up now and then; the backlog policy decides who may wait there.
        super().__init__(2)


class Outlet:
    """Hands finished frames to all outputs' inboxes, and counts those that are left out on the way to the first one."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self._lock = threading.Lock()
        self._inboxes: tuple[Inbox, ...] = (Inbox(),)
        self.newest: Outgoing | None = None
        """The last frame that was finished."""

    @property
    def first(self) -> Inbox:
        """The inbox of the first output, which the backlog policy and the meters are about."""
        return self._inboxes[0]

    def lead_to(self, inboxes: tuple[Inbox, ...]) -> None:
        """From now on frames go there; at least one."""
        with self._lock:
            self._inboxes = inboxes

    @property
    def empty(self) -> bool:
        """Whether no frame waits for the first output."""
        return self.first.empty

    def leave_out_oldest(self) -> None:
        """Takes the oldest frame away that waits for the first output."""
        self.left_out(self.first, self.first.take(0))

    def put(self, outgoing: Outgoing) -> None:
        """Hands a frame to all; where one is full, its oldest frame goes."""
        self._put(outgoing, (None,))

    def share(self, outgoing: Outgoing) -> None:
        """Hands all other outputs a frame that the first one has."""
        self._put(outgoing, (self.first,))

    def left_out(self, inbox: Inbox, outgoing: Outgoing | None) -> None:
        """An output does not send a frame (None: there was none)."""
        if outgoing is not None and outgoing.counted_by is inbox:
            self._meters.dropped()

    def close(self) -> None:
        """Wakes all that wait for a frame."""
        for inbox in self._inboxes:
            inbox.close()

    def _put(self, outgoing: Outgoing, but: tuple[Inbox | None, ...]) -> None:
        with self._lock:
            self.newest, outgoing.counted_by = outgoing, self.first
            for inbox in self._inboxes:
                if inbox not in but:
                    self.left_out(inbox, inbox.put(outgoing))
