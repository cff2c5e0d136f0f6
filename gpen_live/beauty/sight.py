"""What is known of a face in a frame before anybody looks at its colours: all that its mesh and its layers say."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.beauty import constants as c
from gpen_live.beauty.features import Eyes, Mouth
from gpen_live.beauty.fields import carried, masks_on, reach, turn
from gpen_live.beauty.makeup import LipShape
from gpen_live.beauty.maps import Floats, blurred, step
from gpen_live.faces.mesh import FACE_OVAL, LEFT_BROW, LEFT_EYE, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE, frontality
from gpen_live.look import Beauty

T = TypeVar("T")

_FEATURES = tuple(np.array(one) for one in (LEFT_EYE, RIGHT_EYE, LEFT_BROW, RIGHT_BROW, LIPS_OUTER))
_OVAL = np.array(FACE_OVAL)
_LIT = ("brighten", "light", "warmth", "blush")


class Sight:
    """A face as its networks see it; each part is worked out when it is first asked for.

    Args:
        points: the face's mesh, 478 x 3, fractions of the crop's side.
        layers: the retouch network's, 5 x MAP x MAP.
    """

    def __init__(self, points: Floats, layers: Floats) -> None:
        self.points, self.layers = points, layers
        self._shapes: dict[tuple[str, int], Any] = {}

    def prepare(self, beauty: Beauty, side: int) -> None:
        """Works out what drawing `beauty` on a crop of so many pixels will ask for."""
        _ = self.frontal, self.skin
        if beauty.uses("makeup") or beauty.eyes or beauty.teeth:
            _ = self.seen_well
        if beauty.eyes or beauty.teeth:
            self.eyes(side)
        if beauty.teeth:
            self.mouth(side)
        if beauty.lips:
            self.lips(side)
        if any(getattr(beauty, name) for name in _LIT):
            _ = self.masks, self.turned
        if beauty.uses("shape"):
            _ = self.there

    @cached_property
    def frontal(self) -> float:
        """See `gpen_live.faces.mesh.frontality`."""
        return frontality(self.points)

    @cached_property
    def _within(self) -> Floats:
        """Where skin may be: the network may be wrong at lashes and lips, the mesh isn't."""
        return reach() * free_of_features(self.points)

    @cached_property
    def matte(self) -> Floats:
        """How far each place is bare skin, as the network says: MAP x MAP, 0..1."""
        return np.asarray(self.layers[0] * self._within, np.float32)

    @cached_property
    def skin(self) -> Floats:
        """The same where it is sure."""
        return step(self.layers[0], *c.SURE) * self._within

    @cached_property
    def uncovered(self) -> Floats:
        """See `uncovered`."""
        return uncovered(self.layers[0], self.points)

    @cached_property
    def seen_well(self) -> Floats:
        """How far nothing lies before the face for certain: MAP x MAP, 0..1."""
        return step(self.uncovered, *c.COVER_SEEN)

    def eyes(self, side: int) -> Eyes | None:
        """The open eyes in a crop of so many pixels."""
        return self._shape("eyes", side, lambda: Eyes.of(self.points, self.seen_well, side))

    def mouth(self, side: int) -> Mouth | None:
        """The open mouth in a crop of so many pixels."""
        return self._shape("mouth", side, lambda: Mouth.of(self.points, side))

    def lips(self, side: int) -> LipShape | None:
        """The lips in a crop of so many pixels."""
        return self._shape("lips", side, lambda: LipShape.of(self.points, side))

    def _shape(self, name: str, side: int, make: Callable[[], T]) -> T:
        if (name, side) not in self._shapes:
            self._shapes[name, side] = make()
        found: T = self._shapes[name, side]
        return found

    @cached_property
    def there(self) -> Floats:
        """See `gpen_live.beauty.fields.carried`."""
        return carried(self.points)

    @cached_property
    def masks(self) -> Floats:
        """See `gpen_live.beauty.fields.masks_on`."""
        return masks_on(self.there)

    @cached_property
    def turned(self) -> Floats:
        """See `gpen_live.beauty.fields.turn`."""
        return turn(self.points)


def free_of_features(points: Floats, distance: float = c.FEATURE_GROW) -> Floats:
    """1 further than that from eyes, brows and lips, where the mesh knows for certain that there is no skin: MAP x MAP."""
    places = _map_pixels(points)
    outlines = [places[one] for one in _FEATURES]
    free = np.full((c.MAP, c.MAP), 255, np.uint8)
    cv2.fillPoly(free, outlines, (0,), cv2.LINE_AA, 4)
    thickness = round(2 * distance * c.MAP)
    cv2.polylines(free, outlines, isClosed=True, color=(0,), thickness=thickness, lineType=cv2.LINE_AA, shift=4)
    return np.asarray(cv2.blur(free, (3, 3)) * np.float32(1 / 255), np.float32)


def uncovered(matte: Floats, points: Floats) -> Floats:
    """How far nothing lies before the face, MAP x MAP, on eyes, brows and lips too: as far as the skin around them is seen."""
    face = np.zeros((c.MAP, c.MAP), np.uint8)
    cv2.fillPoly(face, [_map_pixels(points)[_OVAL]], (1,), cv2.LINE_8, 4)
    expected = free_of_features(points, c.COVER_FROM) * face
    around = blurred(np.asarray(cv2.merge((matte * expected, expected)), np.float32), c.COVER_SIGMA * c.MAP)
    return np.asarray((around[:, :, 0] + 1e-4) / (around[:, :, 1] + 1e-4), np.float32)


def _map_pixels(points: Floats) -> npt.NDArray[np.int32]:
    """In the maps' pixels, as OpenCV's drawing takes them: times 16."""
    return np.asarray(np.rint((points[:, :2] * c.MAP - 0.5) * 16), np.int32)
