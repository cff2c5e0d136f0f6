"""The look on the host: one face's crop in NumPy and OpenCV.

`draw` is a function of what is seen and of what is remembered; `HostBeauty` finds what it needs to know of the face. Maps of
fixed size hold what is low in frequency: so the result is the same for crops of any side, and so is most of the cost.
"""

from __future__ import annotations

import math
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.beauty import constants as c
from gpen_live.beauty.features import draw_eyes, draw_teeth
from gpen_live.beauty.finding import Coming, Finder, FindsLayers, FindsMesh
from gpen_live.beauty.light import blush_log, lamp_light, where_lit
from gpen_live.beauty.makeup import Lips, draw_brows, draw_liner, draw_lips
from gpen_live.beauty.maps import Floats, resized, step_of, times
from gpen_live.beauty.shape import displaced, displacement, shape_grid
from gpen_live.beauty.sight import Sight
from gpen_live.beauty.skin import SkinMaps, skin_maps
from gpen_live.beauty.tone import Tone
from gpen_live.beauty.values import AT, Values, Vector, wished
from gpen_live.engine.result import Change, FaceCrop
from gpen_live.faces.mesh import MeshFilter
from gpen_live.faces.smooth import LONGEST_S
from gpen_live.frame import Image

_SKIN = ("smooth", "even", "blemish", "under_eye", "shine")
_LIT = ("brighten", "light", "warmth", "blush")
_DRAWN = ("eyes", "teeth", "lips", "brows", "liner")
_SHAPED = ("slim", "jaw", "eye_size", "nose")
_UNSEEN = 0.004  # of the matte: half a level of what it multiplies


@dataclass
class Remembered:
    """What is known of a face from its frames so far.

    Args:
        at: media time of the last of them, None before the first. lips: see `makeup.draw_lips`.
        sclera: running luma of the eyes' white, 0..1.
    """

    at: float | None = None
    lips: Lips | None = None
    sclera: float | None = None

    def share(self, at: float, over_s: float) -> float:
        """Of a frame at `at` in a running mean over so many seconds; all of it in the first."""
        return 1.0 if self.at is None else 1 - math.exp(-max(0.0, at - self.at) / over_s)


def draw(seen: Image, added: Floats, face: Sight, dials: Vector, known: Remembered, at: float) -> Change:
    """A face's crop with its look.

    Args:
        seen: the crop as it is in the frame, S x S x 3, uint8, BGR. added: what it changes by so far, S x S x 3, levels.
        dials: see `gpen_live.beauty.values`. known: of this face; brought up to the frame. at: its media time, seconds.

    Returns:
        What it changes by now, `added` included; a displacement only for a control of the shape.
    """
    window = Window.around(face.layers[0], face.points, seen.shape[0])
    before = window.of(seen).astype(np.float32)
    now = np.empty(seen.shape, np.float32)  # within the window alone
    part = window.of(now)
    np.add(before, window.of(added), out=part)
    np.maximum(part, 0, out=part)  # a change of the frame before may take more than there is
    small = window.reduced(now)
    tone = Tone.of(small, face.skin)
    maps = skin_maps(small, face.skin, face.layers, dials) if _on(dials, _SKIN) else None
    log = None if maps is None or maps.log is None else times(resized(maps.log, c.MAP), face.skin)
    if _on(dials, _LIT):
        log = _added(log, _light(small, face, tone, dials))
    if maps is not None or log is not None:
        _map(part, window, small, maps, log)
        np.maximum(part, 0, out=part)

    if _on(dials, _DRAWN):
        _draw_features(now, face, tone, dials, known, at)
    known.at = at

    change = added.copy()
    np.subtract(part, before, out=window.of(change))
    grid = shape_grid(face.there, dials) if _on(dials, _SHAPED) else None
    if grid is None:
        return Change(change)
    moved = displacement(grid, seen.shape[0])
    return Change(displaced(change, moved, grid), moved)


@dataclass(frozen=True)
class Window:
    """The part of a crop in which anything is drawn: cells x0, y0, x1, y1 (ends excluded) of MAP, and their pixels."""

    cells: tuple[int, int, int, int]
    pixels: tuple[int, int, int, int]

    @staticmethod
    def around(matte: Floats, points: Floats, side: int) -> Window:
        """Around the skin and the mesh; all of the crop where the maps' cells are no whole pixels."""
        if side % c.MAP:
            return Window((0, 0, c.MAP, c.MAP), (0, 0, side, side))
        ends = []
        for axis in (0, 1):
            found = np.flatnonzero(matte.max(axis=axis) > _UNSEEN)
            least, most = (float(one) * c.MAP for one in (points[:, axis].min(), points[:, axis].max()))
            if len(found):
                least, most = min(least, found[0]), max(most, found[-1] + 1)
            margin = c.MARGIN * c.MAP
            ends.append((min(max(int(least - margin), 0), c.MAP - 2), max(min(math.ceil(most + margin), c.MAP), 2)))
        (x0, x1), (y0, y1) = ends
        cells = (min(x0, x1 - 2), min(y0, y1 - 2), x1, y1)
        x0, y0, x1, y1 = (one * (side // c.MAP) for one in cells)
        return Window(cells, (x0, y0, x1, y1))

    def of(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Its part of the crop, not a copy."""
        x0, y0, x1, y1 = self.pixels
        return picture[y0:y1, x0:x1]

    def reduced(self, picture: Floats) -> Floats:
        """The crop at MAP x MAP, outside the window as at its border."""
        x0, y0, x1, y1 = self.cells
        small = resized(self.of(picture), x1 - x0, y1 - y0)
        return np.asarray(cv2.copyMakeBorder(small, y0, c.MAP - y1, x0, c.MAP - x1, cv2.BORDER_REPLICATE), np.float32)

    def enlarged(self, one: Floats) -> Floats:
        """Its part of a map (MAP x MAP, or x k) at the crop's size."""
        x0, y0, x1, y1 = self.cells
        left, top, right, bottom = self.pixels
        return resized(one[y0:y1, x0:x1], right - left, bottom - top)


def _draw_features(now: Floats, face: Sight, tone: Tone, dials: Vector, known: Remembered, at: float) -> None:
    """What has an outline, in place."""
    points, seen, seen_well = face.points, face.uncovered, face.seen_well
    if dials[AT["eyes"]] > 0 or dials[AT["teeth"]] > 0:
        eyes = face.eyes(len(now))
        sclera = None if eyes is None else draw_eyes(now, eyes, tone, float(dials[AT["eyes"]]))
        if sclera is not None:
            share = known.share(at, c.SCLERA_S)
            known.sclera = sclera if known.sclera is None else known.sclera + share * (sclera - known.sclera)
    mouth = face.mouth(len(now)) if dials[AT["teeth"]] > 0 else None
    if mouth is not None:
        limit = min(1.0, c.SCLERA_UNSEEN * tone.luma / 255) if known.sclera is None else known.sclera
        draw_teeth(now, mouth, tone, limit, float(dials[AT["teeth"]]))
    lips = face.lips(len(now)) if dials[AT["lips"]] > 0 else None
    if lips is not None:
        known.lips = draw_lips(now, lips, points, tone, seen, dials, known.lips, known.share(at, c.LIP_S))
    if dials[AT["brows"]] > 0:
        draw_brows(now, points, tone, seen_well, float(dials[AT["brows"]]))
    if dials[AT["liner"]] > 0:
        draw_liner(now, points, seen_well, float(dials[AT["liner"]]))


def _on(dials: Vector, names: tuple[str, ...]) -> bool:
    return any(dials[AT[name]] != 0 for name in names)


def _light(small: Floats, face: Sight, tone: Tone, dials: Vector) -> Floats | None:
    """The log gain of light and blush, MAP x MAP x 3."""
    log = lamp_light(small, face.masks, face.turned, dials)
    if log is not None:
        log = times(resized(log, c.MAP), where_lit(face.masks, face.matte))
    if dials[AT["blush"]] > 0:
        log = _added(log, times(resized(blush_log(small, face.masks, tone, dials), c.MAP), face.skin))
    return log


def _map(part: Floats, window: Window, small: Floats, maps: SkinMaps | None, log: Floats | None) -> None:
    """Brings what the maps say into the window's part of the picture, in place."""
    if maps is not None and maps.delta is not None:
        delta = window.enlarged(maps.delta)
        if maps.heal is not None:
            delta -= times(part - window.enlarged(small), window.enlarged(maps.heal))
        part += delta
    if log is not None:
        part *= window.enlarged(np.asarray(cv2.exp(log), np.float32))


def _added(one: Floats | None, other: Floats | None) -> Floats | None:
    if one is None or other is None:
        return other if one is None else one
    return np.asarray(one + other, np.float32)


@dataclass
class _Kept:
    """All that lives with a face.

    Args:
        at: media time of the frame in which it was looked at last. layers: what comes of that frame, for the next one.
    """

    values: Values = field(default_factory=Values)
    known: Remembered = field(default_factory=Remembered)
    smooth: MeshFilter = field(default_factory=MeshFilter)
    coming: Coming | None = None
    layers: Future[Floats] | None = None
    at: float = -math.inf
    score: float = 0.0
    sight: Sight | None = None

    def fresh(self, at: float) -> bool:
        """Whether what was seen of the face is of any help for a frame at `at` seconds."""
        return self.sight is not None and 0 <= at - self.at <= LONGEST_S

    def take(self, coming: Coming) -> None:
        """What was found. Where nothing can be told there is no face, and what was drawn on it fades where it last was."""
        self.coming = None
        found = coming.found.result()
        self.score, self.at = found.score, coming.at
        self.sight = found.sight or self.sight


class HostBeauty:
    """The stage on the host; see `gpen_live.engine.result.Stage`.

    It looks at a face while the frame's network runs, but for its skin: that is looked at when the frame is done, for the next.
    """

    name = "beauty"

    def __init__(self, mesh: FindsMesh, retouch: FindsLayers) -> None:
        self._finder = Finder(mesh, retouch)

    def active(self, face: FaceCrop) -> bool:
        kept = face.kept.get(self.name)
        return face.look.beauty.uses() or (kept is not None and not kept.values.nothing)

    def begin(self, seen: Image, told: FaceCrop) -> None:
        kept: _Kept = told.kept.setdefault(self.name, _Kept())
        fresh = kept.fresh(told.at)
        if told.refresh or not fresh:
            layers = kept.layers if fresh else None
            kept.layers = None
            if layers is None:
                before = kept.sight.layers if fresh and kept.sight is not None else None
                layers = self._finder.layers(seen, before)
            kept.coming = self._finder.begin(seen, told.at, kept.smooth, layers, told.look.beauty)

    def __call__(self, seen: Image, change: Change, told: FaceCrop) -> Change:
        kept: _Kept = told.kept.setdefault(self.name, _Kept())
        if kept.coming is None or kept.coming.at != told.at:
            self.begin(seen, told)
        looked = kept.coming is not None
        if kept.coming is not None:
            kept.take(kept.coming)
        if kept.sight is None:
            return change
        dials = kept.values(wished(told.look.beauty), told.at, step_of(kept.score, *c.FOUND), kept.sight.frontal)
        if kept.values.nothing:
            return change
        drawn = draw(seen, change.added, kept.sight, dials, kept.known, told.at)
        if looked:
            kept.layers = self._finder.layers(seen, kept.sight.layers)
        return drawn
