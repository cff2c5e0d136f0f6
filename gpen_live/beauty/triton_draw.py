"""The look by our own kernels on graphics cards: what `gpen_live.beauty.torch_draw` does, within a level, in two dozen launches.

Meshes and layers are found side by side. Imports torch and triton at import time: import this module late.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import triton
from torch import Tensor

from gpen_live.beauty import constants as c
from gpen_live.beauty.fields import MASKS, SHIFTS, canonical, reach
from gpen_live.beauty.maps import Floats
from gpen_live.beauty.resampling import blurring, boxing, resizing
from gpen_live.beauty.torch import FADE, FIRST_DIAL, LIPS, NEW, NUMBERS, ROW, SCLERA, STEP, Rows
from gpen_live.beauty.torch_draw import GROWN, LASHES, fading
from gpen_live.beauty.values import AT, DIALS
from gpen_live.engine.result import Change
from gpen_live.faces import mesh
from gpen_live.faces.state import MAX_FACES
from gpen_live.kernels import beauty_features, beauty_maps, beauty_outlines, face_mesh_kernels
from gpen_live.kernels.graph import TritonGraph
from gpen_live.kernels.launch import ahead, guarded, launch
from gpen_live.kernels.lite import patterns
from gpen_live.kernels.lite_tiles import usual_tile
from gpen_live.nets import face_mesh as nets
from gpen_live.nets.layers import Network

_INTERPRETED = triton.knobs.runtime.interpret
_BLOCK, _FIELD_BLOCK = (4096, 4096) if _INTERPRETED else (128, 64)
_TILE = 64 if _INTERPRETED else 16
_MEASURED = 16384 if _INTERPRETED else 2048
"""Pixels of a program, or of a side. Triton's interpreter, one program after the other, likes few of them."""
_SAMPLES = 256
"""In a larger crop than this, not every pixel is looked at to know the colours of eyes and lips."""

_OUTLINES = ("left_eye", "right_eye", "lips", "mouth", "left_brow", "right_brow", "left_liner", "right_liner", "oval")
_LID, _OUTER, _INNER, _BROW, _LINER = range(5)
_PLANES = (_LID, _LID, _OUTER, _INNER, _BROW, _BROW, _LINER, _LINER)
_SOFT = (c.EDGE, c.EDGE, c.LIP_EDGE, c.EDGE, c.BROW_EDGE, c.BROW_EDGE, c.LINER_EDGE, c.LINER_EDGE, 0.0)
_SLOTS = 64


class TritonDraws:
    """See `gpen_live.beauty.torch.Draws`. For crops whose side is a multiple of MAP.

    Args:
        base, parts: of the mesh, as `gpen_live.nets.face_mesh.networks` gives them. retouch: that of the layers.
        dtype: the networks': float16 or float32.

    Raises:
        RuntimeError: the card can't run them.
    """

    def __init__(
        self, base: Network, parts: Network, retouch: Network, device: torch.device, dtype: torch.dtype = torch.float16
    ) -> None:
        self._device = device
        self._base, self._parts = TritonGraph(base, dtype, device), TritonGraph(parts, dtype, device)
        self._retouch = TritonGraph(retouch, dtype, device, patterns=patterns(usual_tile))
        self._tables = _Tables(device)
        self.maps = _Maps(device)
        self._sized: dict[int, _Sized] = {}
        count = 3 if device.type == "cuda" else 0
        self._sides = [torch.cuda.Stream(device) for _ in range(count)]  # type: ignore[no-untyped-call]

    def prepare(self) -> None:
        """Compiles all kernels, which takes a card's first start most of its time.

        Raises:
            RuntimeError: the compiler or the card refuses one.
        """
        rows, told = Rows(1, self._device), torch.zeros(1, NUMBERS, device=self._device)
        seen = torch.zeros(1, 3, 2 * c.MAP, 2 * c.MAP, device=self._device)
        with guarded(self._device), ahead():
            self.look(seen, told, rows)
            self.draw(seen, Change(torch.zeros_like(seen), torch.zeros_like(seen[:, :2])), told, rows)

    def look(self, seen: Tensor, told: Tensor, rows: Rows) -> None:
        with guarded(self._device):
            self._beside(0, lambda: self._find_layers(seen, told, rows), lambda: self.find_meshes(seen, told, rows))

    def draw(self, seen: Tensor, change: Change, told: Tensor, rows: Rows) -> None:
        with guarded(self._device):
            self._draw(seen, change, told, rows)

    def _beside(self, side: int, other: Callable[[], None], work: Callable[[], None]) -> None:
        """Both, at the same time where they are recorded: the other one on the stream of this number."""
        if self._device.type != "cuda":
            other()
            work()
            return
        here = torch.cuda.current_stream(self._device)
        there = self._sides[side]
        there.wait_stream(here)
        with torch.cuda.stream(there):
            other()
        work()
        here.wait_stream(there)

    def _find_layers(self, seen: Tensor, told: Tensor, rows: Rows) -> None:
        at, side = told[:, ROW].long(), 2 * c.MAP
        if seen.shape[-1] > side:
            seen = F.avg_pool2d(seen, seen.shape[-1] // side)
        elif seen.shape[-1] < side:
            seen = F.interpolate(seen, (side, side), mode="bilinear", align_corners=False)
        before = torch.where((told[:, STEP] > 0).view(-1, 1, 1, 1), rows.layers.index_select(0, at), 0.0)
        rows.layers.index_copy_(0, at, self._retouch(seen, before)[0])

    def find_meshes(self, seen: Tensor, told: Tensor, rows: Rows) -> None:
        """The meshes of `look`, and all that follows from them."""
        maps, tables, count, size = self.maps, self._tables, len(seen), seen.shape[-1]
        left, top, side, box = mesh.window(size)
        picture = maps.picture[:count]
        launch(
            face_mesh_kernels.shrink, (_parts(nets.SIDE**2), 3 * count), seen, picture, size, left, top, side, box,
            SIDE=nets.SIDE, BLOCK=_BLOCK,
        )  # fmt: skip
        numbers, features = self._base(picture)
        crops, transforms = maps.crops[:count], maps.transforms
        blocks = 1 if _INTERPRETED else 4
        launch(
            face_mesh_kernels.cut, (3 * blocks, count), numbers, features, tables.boxes, tables.corners, crops, transforms,
            NUMBERS=numbers.shape[1], CHANNELS=nets.FEATURES, MAP=features.shape[-1], STEP=nets.FEATURE_STEP,
            MARGIN=nets.CROP_MARGIN, SIDE=nets.CROP_SIDE, BOX=tables.boxes.shape[1], BLOCK=nets.FEATURES // blocks,
        )  # fmt: skip
        (found,) = self._parts(crops)
        launch(
            face_mesh_kernels.settle, (count,), numbers, transforms, found, tables.slots, tables.crops, tables.parts,
            tables.edges, told, rows.points, rows.measured, rows.velocity, rows.found, maps.dials, tables.fading,
            side / (nets.SIDE * size), left / size, top / size,
            NUMBERS=numbers.shape[1], FOUND=found.shape[1], UNIT=1 / (nets.FEATURE_STEP * nets.CROP_SIDE),
            BASE=nets.BASE_POINTS, POINTS=nets.POINTS, EDGE=nets.EYE_EDGE, GROUPS=int(mesh.PART_OF.max()) + 1, TOLD=NUMBERS,
            ROW=ROW, STEP=STEP, FADE=FADE, FIRST_DIAL=FIRST_DIAL, DIALS=len(DIALS), MIN_CUTOFF=mesh.MIN_CUTOFF, BETA=mesh.BETA,
            SPEED_CUTOFF=mesh.SPEED_CUTOFF, EAR_LEFT=mesh.EARS[0], EAR_RIGHT=mesh.EARS[1], NOSE=mesh.NOSE_TIP,
            HIDDEN=mesh.HIDDEN, SEEN=mesh.SEEN, FOUND_LOW=c.FOUND[0], FOUND_HIGH=c.FOUND[1], BLOCK=512, DIAL_BLOCK=64,
        )  # fmt: skip
        self.place(told, rows, count, size)

    def place(self, told: Tensor, rows: Rows, count: int, size: int) -> None:
        """All that follows from the points and the dials alone: outlines, masks, shape. count, size: of the crops."""
        self._beside(1, lambda: self._carry(told, rows, count), lambda: self._outline(told, rows, count, size))

    def _outline(self, told: Tensor, rows: Rows, count: int, size: int) -> None:
        maps, tables, sized = self.maps, self._tables, self._of(size)
        launch(
            beauty_outlines.outline, (len(_OUTLINES), count), rows.points, told, tables.outlines, tables.lifts, tables.tips,
            tables.margins, maps.outlines, maps.boxes, POINTS=nets.POINTS, TOLD=NUMBERS, OUTLINES=len(_OUTLINES),
            WING=c.LINER_WING, RISE=c.LINER_RISE, BLOCK=_SLOTS,
        )  # fmt: skip

        def cover() -> None:
            grown, more = (round(2 * one * c.MAP) / 2 + 1.5 for one in (c.FEATURE_GROW, c.COVER_FROM))
            launch(
                beauty_outlines.cover, (_parts(c.MAP**2), count), maps.outlines, tables.counts, maps.covers,
                OUTLINES=len(_OUTLINES), MOST=_SLOTS, MAP=c.MAP, GROWN=grown, GROWN_MORE=more, BLOCK=_BLOCK,
            )  # fmt: skip

        def fill() -> None:
            launch(
                beauty_outlines.fill, ((-(-size // _TILE)) ** 2, count), maps.outlines, tables.counts, maps.boxes, tables.soft,
                tables.planes, sized.filled, size, OUTLINES=len(_OUTLINES), FILLED=len(_PLANES), PLANES=5, MOST=_SLOTS,
                GROWN=GROWN, TILE=_TILE,
            )  # fmt: skip

        self._beside(2, cover, fill)

    def _carry(self, told: Tensor, rows: Rows, count: int) -> None:
        maps, tables, nodes = self.maps, self._tables, c.WIDE**2
        launch(
            beauty_outlines.shifted, (_parts(nodes), count), rows.points, told, tables.guides, tables.places, tables.carry,
            maps.shift, POINTS=nets.POINTS, TOLD=NUMBERS, GUIDES=c.GUIDES, NODES=nodes, BLOCK=min(_BLOCK, nodes),
        )  # fmt: skip
        launch(
            beauty_outlines.carried, (_parts(nodes), count), maps.shift, maps.there,
            WIDE=c.WIDE, STEPS=c.CARRY_STEPS, BLOCK=_BLOCK,
        )  # fmt: skip
        launch(
            beauty_outlines.masked, (_parts(c.FIELD**2), count), maps.there, tables.masks, maps.masks,
            FIELD=c.FIELD, WIDE=c.WIDE, MASKS=len(MASKS), BLOCK=_BLOCK,
        )  # fmt: skip
        launch(
            beauty_outlines.shaped, (_parts(nodes), count), maps.there, tables.shifts, maps.dials, maps.shape,
            WIDE=c.WIDE, SHIFTS=len(SHIFTS), DIALS=len(DIALS), FIRST=AT[SHIFTS[0]], BLOCK=_BLOCK,
        )  # fmt: skip

    def _draw(self, seen: Tensor, change: Change, told: Tensor, rows: Rows) -> None:
        maps, tables, count, size = self.maps, self._tables, len(seen), seen.shape[-1]
        sized = self._of(size)
        blocks = _parts(c.FIELD**2, _FIELD_BLOCK)
        common = {"TOLD": NUMBERS, "DIALS": len(DIALS)}
        launch(
            beauty_maps.gather, (blocks, count), seen, change.added, rows.layers, told, maps.dials, maps.covers, tables.reach,
            maps.small, maps.skin, maps.own, maps.tone, size, **common, KEEP=AT["keep_moles"], BLEMISH=AT["blemish"],
            SPOT_LOW=c.SPOT_SURE[0], SPOT_HIGH=c.SPOT_SURE[1], SURE_LOW=c.SURE[0], SURE_HIGH=c.SURE[1],
            FIELD=c.FIELD, BLOCK=_FIELD_BLOCK, num_warps=2,
        )  # fmt: skip
        launch(beauty_maps.spread, (27, count), maps.own, tables.matrices, maps.around, FIELD=c.FIELD, num_warps=8)
        launch(
            beauty_maps.uncover, (_parts(c.MAP**2), count), maps.skin, tables.weights, maps.uncovered,
            MAP=c.MAP, REACH=len(tables.weights) // 2, BLOCK=_BLOCK,
        )  # fmt: skip
        launch(
            beauty_maps.decide, (blocks, count), maps.own, maps.around, rows.layers, maps.masks, rows.points, tables.turning,
            maps.tone, told, maps.dials, maps.fields, maps.balance, **common, **_DECIDED, FIELD=c.FIELD, BLOCKS=blocks,
            BLOCK=_FIELD_BLOCK, num_warps=2,
        )  # fmt: skip
        launch(
            beauty_maps.heal, (_parts(c.MAP**2), count), maps.small, maps.skin, maps.around, tables.rim, maps.spots,
            FIELD=c.FIELD, RIM=len(tables.rim) // 2, SLOPE=c.HEAL_SLOPE, BLOCK=_BLOCK,
        )  # fmt: skip
        launch(
            beauty_maps.blend, (_parts(c.MAP**2), count), maps.fields, maps.masks, maps.small, maps.skin, maps.balance,
            maps.spots, tables.fit, maps.dials, maps.blended, DIALS=len(DIALS), BLEMISH=AT["blemish"], FIT=len(tables.fit) // 2,
            FIELD=c.FIELD, MASKS=len(MASKS), BLOCKS=blocks, SHINY=c.SHINY, ODD=c.SMOOTH_ODD, LEAST=c.HEAL_LEAST,
            BLOCK=_BLOCK,
        )  # fmt: skip
        pixels, reached = (_parts(size**2), count), round(c.LIP_BLUR * size / 2)
        launch(
            beauty_maps.paint, pixels, seen, change.added, maps.blended, maps.small, maps.skin, sized.drawn, size,
            MAP=c.MAP, BLOCK=_BLOCK,
        )  # fmt: skip
        launch(
            beauty_features.measure, (2, count), sized.drawn, sized.filled, maps.uncovered, maps.boxes, rows.points, tables.eyes,
            maps.tone, told, rows.colours, maps.measured, size, max(1, size // _SAMPLES), reached,
            TOLD=NUMBERS, NEW=NEW, LIPS=LIPS, SCLERA=SCLERA, OUTLINES=len(_OUTLINES), LIPS_OUTLINE=2, BLOCKS=blocks,
            **_FEATURES, LIP_BEARD=c.LIP_BEARD, FOUND=c.LIP_FOUND, UNSEEN=c.SCLERA_UNSEEN, BLOCK=_MEASURED, num_warps=8,
        )  # fmt: skip
        moved = change.displacement
        drawn = change.added if moved is None else sized.adorned
        launch(
            beauty_features.adorn, pixels, sized.drawn, seen, change.added, sized.filled, maps.uncovered, rows.points,
            tables.eyes, tables.mouth, maps.tone, told, maps.dials, maps.measured, drawn, size, reached,
            **common, BLOCKS=blocks, **_FEATURES, **_ADORNED, BROW=_BROW, LINER=_LINER, BLOCK=_BLOCK,
        )  # fmt: skip
        if moved is not None:
            launch(beauty_features.move, pixels, drawn, maps.shape, change.added, moved, size, WIDE=c.WIDE, BLOCK=_BLOCK)

    def _of(self, size: int) -> _Sized:
        if size % c.MAP:
            raise RuntimeError(f"the side of crops must be a multiple of {c.MAP}")
        if size not in self._sized:
            self._sized[size] = _Sized(size, self._device)
        return self._sized[size]


class _Sized:
    """Memory for crops of one size."""

    def __init__(self, size: int, device: torch.device) -> None:
        self.drawn, self.adorned = (torch.zeros(MAX_FACES, 3, size, size, device=device) for _ in range(2))
        self.filled = torch.zeros(MAX_FACES, 5, size, size, device=device)


class _Maps:
    """Memory for what doesn't depend on the crops' size; see the kernels."""

    def __init__(self, device: torch.device) -> None:
        def room(*shape: int) -> Tensor:
            return torch.zeros(MAX_FACES, *shape, device=device)

        blocks = _parts(c.FIELD**2, _FIELD_BLOCK)
        self.picture = room(3, nets.SIDE, nets.SIDE)
        self.crops = room(len(nets.PARTS) * nets.FEATURES, nets.CROP_SIDE, nets.CROP_SIDE)
        self.transforms, self.dials = room(len(nets.CROPS), 6), room(len(DIALS))
        self.outlines, self.boxes = room(len(_OUTLINES), _SLOTS, 2), room(len(_OUTLINES), 4)
        self.covers, self.uncovered = room(3, c.MAP, c.MAP), room(c.MAP, c.MAP)
        self.shift, self.there, self.shape = (room(2, c.WIDE, c.WIDE) for _ in range(3))
        self.masks = room(len(MASKS), c.FIELD, c.FIELD)
        self.small, self.skin, self.blended = (room(count, c.MAP, c.MAP) for count in (3, 7, 6))
        self.own, self.around, self.fields = (room(count, c.FIELD, c.FIELD) for count in (7, 27, 13))
        self.spots = room(4, c.MAP, c.MAP)
        self.tone, self.balance, self.measured = room(blocks, 4), room(blocks, 6), room(8)


class _Tables:
    """What the kernels look up."""

    def __init__(self, device: torch.device) -> None:
        def here(values: Any, dtype: torch.dtype = torch.int32) -> Tensor:
            return torch.from_numpy(np.array(values)).to(device, dtype).contiguous()

        def floats(values: Any) -> Tensor:
            return here(values, torch.float32)

        most = max(len(box) for box in nets.CROPS)
        most = 1 << (most - 1).bit_length()
        self.boxes = here([[*box, *[box[0]] * (most - len(box))] for box in nets.CROPS])
        self.corners = here(nets.CORNERS)
        slots, crops = np.full(nets.POINTS, -1), np.zeros(nets.POINTS)
        for number, (part, crop) in enumerate(zip(nets.PARTS, nets.CROP_OF_PART, strict=True)):
            slots[list(part)] = number * nets.PART_WIDTH // 2 + np.arange(len(part))
            crops[list(part)] = crop
        self.slots, self.crops, self.parts = here(slots), here(crops), here(mesh.PART_OF)
        self.edges = here([eye[: nets.EYE_EDGE] for eye in (nets.LEFT_EYE, nets.RIGHT_EYE)])
        by_found, by_frontal = fading()
        self.fading = here([(name in by_found) + 2 * (name in by_frontal) for name in DIALS])

        outlines = [_outline(name) for name in _OUTLINES]
        self.outlines = here([[*one, *[one[0]] * (_SLOTS - len(one))] for one in outlines])
        self.counts = here([len(one) for one in outlines])
        self.lifts = floats([_lifts(name, len(one)) for name, one in zip(_OUTLINES, outlines, strict=True)])
        liners = ["liner" in name for name in _OUTLINES]
        self.tips = here([(len(LASHES), one[0]) if liner else (-1, 0) for liner, one in zip(liners, outlines, strict=True)])
        self.soft, self.planes = floats(_SOFT), here(_PLANES)
        self.margins = floats([4 * soft + 2 * GROWN for soft in _SOFT])

        made = canonical()
        self.guides, self.places = here(made.guides), floats(mesh.CANONICAL[made.guides, :2].T)
        self.carry, self.turning = floats(made.carry), floats(made.turning)
        self.masks, self.shifts = floats(made.masks.transpose(2, 0, 1)), floats(made.shifts.transpose(0, 3, 1, 2))
        self.reach = floats(reach())
        half, whole = resizing(c.FIELD, c.WIDE), resizing(c.WIDE, c.FIELD)
        wide = whole @ blurring(c.WIDE, c.EVEN_SIGMA * c.WIDE) @ half
        distances = (c.SMOOTH_SIGMA, 2 * c.HEAL_RIM, 4 * c.HEAL_RIM, c.HEAL_FAR)
        near, *rims = (blurring(c.FIELD, sigma * c.FIELD) for sigma in distances)
        self.matrices = floats([near, wide, *rims, boxing(c.FIELD, 5)])
        self.weights, self.rim, self.fit = (floats(_line(sigma)) for sigma in (c.COVER_SIGMA, c.HEAL_RIM, c.HEAL_FIT))
        eyes = ((mesh.LEFT_EYE, mesh.LEFT_IRIS), (mesh.RIGHT_EYE, mesh.RIGHT_IRIS))
        self.eyes = here([[*edge, *iris] for edge, iris in eyes])
        self.mouth = here([mesh.LIPS_INNER[place] for place in (0, 10, 5, 15)])


def _line(sigma: float) -> Floats:
    """The weights of neighbours in a blur of MAP x MAP."""
    middle = c.MAP // 2
    line = blurring(c.MAP, sigma * c.MAP)[middle]
    reached = int(np.flatnonzero(line)[-1]) - middle
    return np.asarray(line[middle - reached : middle + reached + 1], np.float32)


def _outline(name: str) -> tuple[int, ...]:
    """Its landmarks; a liner goes along the lower edge of the line, over the wing's tip, and back along its upper edge."""
    eyes = {"left": mesh.LEFT_EYE, "right": mesh.RIGHT_EYE}
    plain = {
        "left_eye": mesh.LEFT_EYE, "right_eye": mesh.RIGHT_EYE, "lips": mesh.LIPS_OUTER, "mouth": mesh.LIPS_INNER,
        "left_brow": mesh.LEFT_BROW, "right_brow": mesh.RIGHT_BROW, "oval": mesh.FACE_OVAL,
    }  # fmt: skip
    if name in plain:
        return plain[name]
    lashes = [eyes[name.removesuffix("_liner")][place] for place in LASHES]
    return (*lashes, lashes[-1], *reversed(lashes))


def _lifts(name: str, count: int) -> list[float]:
    """By how much each point of an outline lies below its landmark."""
    lifts = [0.0] * _SLOTS
    if "liner" in name:
        lashes = len(LASHES)
        along = np.linspace(0, 1, lashes) ** 2
        thick = c.LINER_WIDTH[0] + (c.LINER_WIDTH[1] - c.LINER_WIDTH[0]) * along
        lifts[:lashes] = [0.5 * c.LINER_WIDTH[0]] * lashes
        lifts[lashes + 1 : count] = (-thick[::-1]).tolist()
        lifts[count:] = [lifts[0]] * (_SLOTS - count)
    return lifts


def _direction(lamp: Sequence[float], name: str) -> dict[str, float]:
    return {f"{name}_{axis}": one / math.hypot(*lamp) for axis, one in zip("XYZ", lamp, strict=True)}


_DECIDED = {
    "POINTS": nets.POINTS, "MASKS": len(MASKS), "POINT_BLOCK": 512,
    **{name.upper(): AT[name] for name in ("smooth", "even", "under_eye", "shine", "brighten", "light", "warmth", "blush")},
    "BLUSH_COLOR": AT["blush_color_b"], "KEPT": c.SMOOTH_KEPT, "SHINY": c.SHINY, "SURELY_LOW": c.SURELY_SKIN[0],
    "SURELY_HIGH": c.SURELY_SKIN[1],
    "SMOOTH_MOST": c.SMOOTH_MOST, "EVEN_MOST": c.EVEN_MOST, "EVEN_LOW": math.log(c.EVEN_LIMITS[0]),
    "EVEN_HIGH": math.log(c.EVEN_LIMITS[1]), "UNDER_EYE_MOST": c.UNDER_EYE_MOST, "UNDER_EYE_SMOOTH": c.UNDER_EYE_SMOOTH,
    "SHINE_MOST": c.SHINE_MOST, "LAYER_LOG": c.LAYER_LOG, "BRIGHTEN_MOST": c.BRIGHTEN_MOST, "BRIGHTEN_GREY": c.BRIGHTEN_GREY,
    **_direction(c.BRIGHTEN_FROM, "BRIGHTEN"), "LIGHT_MOST": c.LIGHT_MOST, "LIGHT_BACK": c.LIGHT_BACK,
    "LIGHT_GREY": c.LIGHT_GREY, **_direction(c.LIGHT_FROM, "LIGHT"), "WARM_MOST": c.WARM_MOST, "BLUSH_MOST": c.BLUSH_MOST,
    "BLUSH_DARK": c.BLUSH_DARK, "BLUSH_PALE": c.BLUSH_PALE, "LAMP_ON_DARK": c.LAMP_ON_DARK, "VIVID": c.VIVID, "PALEST": c.PALEST,
}  # fmt: skip
"""Constants of `kernels.beauty_maps.decide`."""

_FEATURES = {
    "POINTS": nets.POINTS, "PLANES": 5, "LID": _LID, "OUTER": _OUTER, "INNER": _INNER, "MAP": c.MAP,
    "LEFT_PUPIL": mesh.LEFT_PUPIL, "RIGHT_PUPIL": mesh.RIGHT_PUPIL, "OPEN_LOW": c.EYE_OPEN[0], "OPEN_HIGH": c.EYE_OPEN[1],
    "IRIS_LOW": c.IRIS_EDGE[0], "IRIS_HIGH": c.IRIS_EDGE[1], "WHITE_LOW": c.WHITE_LESS[0], "WHITE_HIGH": c.WHITE_LESS[1],
    "DISC_LOW": c.IRIS_DISC[0], "DISC_HIGH": c.IRIS_DISC[1], "COLOURFUL": c.SKIN_COLOURFUL,
    "COVER_LOW": c.COVER_SEEN[0], "COVER_HIGH": c.COVER_SEEN[1], "LIP_COLOUR": c.LIP_COLOUR,
    "SEEN_LOW": c.LIP_SEEN[0], "SEEN_HIGH": c.LIP_SEEN[1],
    "BARE_LOW": c.LIP_BARE[0], "BARE_HIGH": c.LIP_BARE[1], "DOUBT_LOW": c.LIP_DOUBT[0], "DOUBT_HIGH": c.LIP_DOUBT[1],
    "APART_LOW": c.LIP_APART[0], "APART_HIGH": c.LIP_APART[1], "ALONG_LOW": c.LIP_ALONG[0], "ALONG_HIGH": c.LIP_ALONG[1],
}  # fmt: skip
"""Those of `measure` and `adorn`."""

_ADORNED = {
    "EYES": AT["eyes"], "TEETH": AT["teeth"], "LIPS": AT["lips"], "GLOSS": AT["lips_gloss"], "LIPS_COLOR": AT["lips_color_b"],
    "BROWS": AT["brows"], "LINES": AT["liner"], "WHITE_LIGHTER": c.WHITE_LIGHTER, "WHITE_PALER": c.WHITE_PALER,
    "IRIS_CONTRAST": c.IRIS_CONTRAST, "IRIS_LIFT": c.IRIS_LIFT,
    "GAIN_LOW": c.IRIS_GAIN[0], "GAIN_HIGH": c.IRIS_GAIN[1], "CATCH_LOW": c.CATCH_FROM[0], "CATCH_HIGH": c.CATCH_FROM[1],
    "CATCH_MOST": c.CATCH_MOST, "MOUTH_LOW": c.MOUTH_OPEN[0], "MOUTH_HIGH": c.MOUTH_OPEN[1], "TOOTH_LOW": c.TOOTH_LEVEL[0],
    "TOOTH_HIGH": c.TOOTH_LEVEL[1], "RED_LOW": c.TOOTH_RED[0], "RED_HIGH": c.TOOTH_RED[1], "TOOTH_YELLOW": c.TOOTH_YELLOW,
    "TOOTH_LIGHTER": c.TOOTH_LIGHTER, "VIVID": c.VIVID, "PALEST": c.PALEST,
    "LIP_COVER": c.LIP_COVER, "LIP_OWN": c.LIP_OWN, "LIP_ALBEDO": c.LIP_ALBEDO,
    "LIP_MATT": c.LIP_MATT, "LIP_GLOSS": c.LIP_GLOSS, "LIP_GLOSSY": c.LIP_GLOSSY,
    "STREAK": c.GLOSS_STREAK, "DETAIL_LOW": c.GLOSS_DETAIL[0], "DETAIL_HIGH": c.GLOSS_DETAIL[1],
    "BROW_FILL": c.BROW_FILL, "BROW_HAIR": c.BROW_HAIR, "BROW_LEVEL": c.BROW_LEVEL, "BROW_MOST": c.BROW_MOST,
    "BROW_B": c.BROW_DENSITY[0], "BROW_G": c.BROW_DENSITY[1], "BROW_R": c.BROW_DENSITY[2], "LINER_DENSITY": c.LINER_DENSITY,
}  # fmt: skip
"""Those of `adorn` alone."""


def _parts(pixels: int, block: int = _BLOCK) -> int:
    """Programs for so many pixels."""
    return -(-pixels // block)
