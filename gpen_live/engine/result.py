"""A face to be enhanced, and a finished frame, wherever it lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from gpen_live.frame import Array, Image, PixelFormat
from gpen_live.media.pixel_formats import convert

if TYPE_CHECKING:
    from gpen_live.faces.align import Matrix
    from gpen_live.faces.state import Face, LastResult


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
    """A finished frame. `raw_reason` says in a sentence why the frame is as it came; empty when it was enhanced.

    `times_ms` are milliseconds by stage name, `busy_ms` those for which the device worked on the frame.
    """

    picture: Picture
    faces: list[Face] = field(default_factory=list)
    raw_reason: str = ""
    times_ms: dict[str, float] = field(default_factory=dict)
    busy_ms: float = 0.0

    @property
    def image(self) -> Image:
        """The picture in BGR."""
        return self.picture.image()


@dataclass(frozen=True)
class FaceCrop:
    """A face to enhance: its frame-to-crop transform, how much of the change is blended in (0..1), what was made of it last."""

    matrix: Matrix
    weight: float
    last: LastResult
