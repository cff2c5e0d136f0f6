"""A face to be enhanced, and a finished frame, wherever it lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from gpen_live.frame import Array, Image, PixelFormat
from gpen_live.media.pixel_formats import convert
from gpen_live.messages import Message

if TYPE_CHECKING:
    from gpen_live.faces.align import Matrix
    from gpen_live.faces.state import Face, LastResult
    from gpen_live.look import Look


class Picture(Protocol):
    """A finished picture. `at_hand`: its BGR pixels lie on the host already."""

    @property
    def at_hand(self) -> bool: ...

    def image(self) -> Image:
        """H x W x 3, uint8, BGR; not to be written to. To be asked for by the engine's thread."""

    def pixels(self, pixel_format: PixelFormat) -> Array:
        """The picture in a sink's pixel_format; see `gpen_live.media.pixel_formats.convert`."""


@dataclass(frozen=True)
class HostPicture:
    """A picture on the host."""

    bgr: Image
    at_hand = True

    def image(self) -> Image:
        return self.bgr

    def pixels(self, pixel_format: PixelFormat) -> Array:
        return convert(self.bgr, pixel_format)


@dataclass
class FrameResult:
    """A finished frame. `raw_reason` says why the frame is as it came; None when it was enhanced.

    `times_ms` are milliseconds by stage name, `busy_ms` those for which the device worked on the frame.
    """

    picture: Picture
    faces: list[Face] = field(default_factory=list)
    raw_reason: Message | None = None
    times_ms: dict[str, float] = field(default_factory=dict)
    busy_ms: float = 0.0

    def took(self, stage: str, ms: float) -> None:
        """The device has worked on this for so many milliseconds more."""
        self.times_ms[stage] = self.times_ms.get(stage, 0.0) + ms
        self.busy_ms += ms

    @property
    def image(self) -> Image:
        """The picture in BGR."""
        return self.picture.image()


@dataclass(frozen=True)
class FaceCrop:
    """A face to enhance, or the whole frame as one crop.

    Args:
        matrix: its frame-to-crop transform.
        fade: how far it has come into view, 0..1; all of its change is scaled by it.
        look: how it is to look.
        last: what was made of it last; belongs to the frame path.
        at: media time in seconds of the frame that it is seen in.
        kept: what stages keep of this face from frame to frame, each under its own name; ends with the face's track.
        refresh: False: a stage is to do with what it knows of the face from the frame before, which has moved along with the
            crop, if it knows anything.
    """

    matrix: Matrix
    fade: float
    look: Look
    last: LastResult
    at: float = 0.0
    kept: dict[str, Any] = field(default_factory=dict)
    refresh: bool = True


WHOLE: Matrix = np.eye(2, 3)
"""The transform of the whole frame."""


@dataclass(frozen=True)
class Change:
    """What is to become of a crop: each pixel p of the frame shows what was at p + displacement, and then `added`.

    On the host of one crop, S x S x 3 (levels, float32, BGR) and S x S x 2 (x, y, in crop pixels); on a device of N crops, N x 3
    x S x S (levels, RGB) and N x 2 x S x S. Without displacement nothing is moved, which costs nothing.
    """

    added: Any
    displacement: Any | None = None


class StageError(Exception):
    """A stage failed, by an error of its own (`__cause__`) or by giving what is no picture: the frame can be made without it."""

    def __init__(self, stage: Stage, reason: str) -> None:
        super().__init__(reason)
        self.stage, self.reason = stage, reason


@runtime_checkable
class EarlyStage(Protocol):
    """A stage of which a part needs no more than a face's crop, on the host."""

    def begin(self, seen: Image, told: FaceCrop) -> None:
        """Called before the network runs, with what the stage is called with after it: threads of its own may work meanwhile.

        The call need not come: the network may fail.
        """


class Stage(Protocol):
    """A step on the faces' crops after the network, timed as `name`, made for one kind of frame path.

    What the network changed comes to it masked (`paths.mask.face_mask`); what all stages made of it is masked once more, at the
    crop's rim alone (`paths.mask.rim_mask`). In full-frame mode it works on the crops of the enhanced frame. For the kernels of a
    CUDA device it must be a `paths.cuda.stages.DeviceStage`.
    """

    name: str

    def active(self, face: FaceCrop) -> bool:
        """Whether it has anything to do on this face; where not, it isn't called, and every bit is as without it."""

    def __call__(self, seen: Any, change: Change, told: Any) -> Change:
        """What the crops change by with this step, given what they change by so far. To be called with active faces alone.

        Args:
            seen: the crops as they are in the frame. On the host one, S x S x 3, uint8, BGR; else N x 3 x S x S, float32, RGB in
                [-1, 1].
            told: on the host the FaceCrop; in PyTorch a list of N.
        """
