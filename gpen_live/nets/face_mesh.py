"""The face mesh's networks: 478 points of a face. MediaPipe's face mesh with attention, whose weights they run with.

Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs" (arXiv 1907.06724) and Grishchenko et
al., "Attention Mesh: High-fidelity Face Mesh Prediction in Real-time" (arXiv 2006.10962). A base network finds 468 points of the
whole face; around mouth and eyes its own features are cropped, turned upright, and five small networks side by side find their
points anew, and the irises. They run as one: the channels of each are a group.

Between the two graphs (`gpen_live.inference.openvino.face_mesh`, `gpen_live.inference.torch_face_mesh`):

* A crop's sides are `CROP_MARGIN` times those of the box around its points (`CROPS`), in the coordinates in which two of them
  (`CORNERS`) are level.
* Of the features it has `CROP_SIDE` x `CROP_SIDE` bilinear samples, at the middles of its pixels; those outside of the outermost
  pixels' centres are zero. A part sees the crop `CROP_OF_PART`.
* What a part finds goes back to the picture and replaces the base's x and y; z stays. An iris gets the mean z of its eye's edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from gpen_live.nets.layers import (
    Array,
    Graph,
    Layer,
    Network,
    add,
    convolution,
    flatten,
    picture,
    pool,
    prelu,
)

Floats = npt.NDArray[np.float32]

SIDE: Final = 192
"""Of the base network's picture, in pixels."""

BASE_POINTS: Final = 468
POINTS: Final = 478

FEATURES: Final = 32
"""Channels of the features and of their crops."""

FEATURE_STEP: Final = 4
"""Pixels of the picture for a pixel of the features."""

CROP_SIDE: Final = 16
"""Of a crop of the features, in pixels."""

CROP_MARGIN: Final = 1.5
"""A crop's sides over those of the box around its points."""

LIPS: Final = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415),
    *(76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408),
    *(62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407),
)
"""The points that the mouth's network finds anew: four rings, from the outermost edge of the lips to the innermost."""

LEFT_EYE: Final = (
    *(33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    *(130, 25, 110, 24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190),
    *(226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189),
    *(35, 124, 46, 53, 52, 65, 143, 111, 117, 118, 119, 120, 121, 128, 245, 156, 70, 63, 105, 66, 107, 55, 193),
)
"""Those of the eye at the picture's left: its edge (16 points), then what lies around it, with the brow."""

RIGHT_EYE: Final = (
    *(263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
    *(359, 255, 339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414),
    *(446, 261, 448, 449, 450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413),
    *(265, 353, 276, 283, 282, 295, 372, 340, 346, 347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336, 285, 417),
)
"""The same of the other eye, in the same order."""

EYE_EDGE: Final = 16
"""The first points of an eye are its edge."""

LEFT_IRIS: Final = (468, 469, 470, 471, 472)
RIGHT_IRIS: Final = (473, 474, 475, 476, 477)
"""An iris' centre, then four points of its edge: right, top, left, bottom (of the right iris: left first)."""

PARTS: Final = (LIPS, LEFT_EYE, RIGHT_EYE, LEFT_IRIS, RIGHT_IRIS)
"""What each group of the second network finds, in their order."""

PART_WIDTH: Final = 2 * len(LIPS)
"""Numbers that each group gives: x, y for each of its points, then zeros."""

CROPS: Final = (LIPS, LEFT_EYE, RIGHT_EYE)
"""The points around which each crop of the features lies."""

CORNERS: Final = ((61, 291), (33, 133), (362, 263))
"""The two points that are level in each crop."""

CROP_OF_PART: Final = (0, 1, 2, 1, 2)
"""Which crop a part sees: an iris that of its eye."""

_BASE_STAGES: Final = (16, 32, 64, 128, 128, 128)
_PART_STAGES: Final = (32, 64, 128, 128)
_BLOCKS: Final = 2
"""Blocks of a stage, behind the one that halves the map (which the first stage lacks)."""
_LAST: Final = 32
_FEATURE_BLOCK: Final = 2
"""The features are what comes out of this block of the base."""


def base_graph() -> Graph:
    """The face's points and the features.

    The input is N x 3 x 192 x 192, RGB in [0, 1]. Outputs: N x 1405: x, y, z of the 468 points in pixels of the picture, whose
    left and upper edges are 0, then the logit of a face being there; and the features, N x 32 x 48 x 48.
    """
    x = picture("x", 3)
    entry = convolution("base.entry.convolution", x, _BASE_STAGES[0], kernel=3, stride=2, padding=(0, 0, 1, 1))
    blocks = _blocks("base", prelu("base.entry.slope", entry), _BASE_STAGES, groups=1)
    points = convolution("base.points", blocks[-1], 3 * BASE_POINTS + 1, kernel=3)
    return Graph("face mesh", (x,), (flatten(points, 3 * BASE_POINTS + 1), blocks[_FEATURE_BLOCK]))


def part_graph() -> Graph:
    """The points of `PARTS` in the parts' crops.

    The input is N x 160 x 16 x 16: 32 features of each part's crop, in the order of `PARTS`. The output is N x 800: for each part
    x, y of its points in 64ths of its crop's sides, from its upper left corner, then zeros up to `PART_WIDTH` numbers.
    """
    groups = len(PARTS)
    x = picture("x", groups * FEATURES)
    blocks = _blocks("parts", x, tuple(groups * width for width in _PART_STAGES), groups=groups)
    points = convolution("parts.points", blocks[-1], groups * PART_WIDTH, kernel=2, groups=groups)
    return Graph("face mesh parts", (x,), (flatten(points, groups * PART_WIDTH),))


def networks(weights: Mapping[str, Array]) -> tuple[Network, Network]:
    """The base and the parts with the parameters of a file (float32).

    Raises:
        ValueError: parameters are missing, left over or of another shape.
    """
    base, parts = (
        Network(graph, {name: values for name, values in weights.items() if name.startswith(prefix)})
        for graph, prefix in ((base_graph(), "base."), (part_graph(), "parts."))
    )
    if strange := next((name for name in weights if name not in {**base.weights, **parts.weights}), None):
        raise ValueError(f"{strange} is left over")
    return base, parts


def _blocks(name: str, x: Layer, stages: tuple[int, ...], *, groups: int) -> list[Layer]:
    """What comes out of each block; the last two are narrower and on the last stage's map."""
    out: list[Layer] = []
    for stage, width in enumerate(stages):
        if stage:
            x = _halved(f"{name}.{len(out)}", x, width, groups)
            out.append(x)
        for _ in range(_BLOCKS):
            x = _block(f"{name}.{len(out)}", x, groups)
            out.append(x)
    narrow = f"{name}.{len(out)}"
    x = prelu(f"{narrow}.slope", convolution(f"{narrow}.point", x, groups * _LAST, groups=groups))
    return [*out, x, _block(f"{name}.{len(out) + 1}", x, groups)]


def _block(name: str, x: Layer, groups: int) -> Layer:
    deep = convolution(f"{name}.depth", x, x.channels, kernel=3, padding=1, groups=x.channels)
    return prelu(f"{name}.slope", add(convolution(f"{name}.point", deep, x.channels, groups=groups), x))


def _halved(name: str, x: Layer, width: int, groups: int) -> Layer:
    """A block to half the height and width; `skip` is constant: each group's channels, behind them zeros up to the new width."""
    deep = convolution(f"{name}.depth", x, x.channels, kernel=3, stride=2, padding=(0, 0, 1, 1), groups=x.channels)
    rest = pool(x, 2)
    if width > x.channels:
        rest = convolution(f"{name}.skip", rest, width, groups=groups, bias=False)
    return prelu(f"{name}.slope", add(convolution(f"{name}.point", deep, width, groups=groups), rest))


_CENTRES: Final = (np.arange(CROP_SIDE, dtype=np.float32) + 0.5) / CROP_SIDE
CROP_PIXELS: Final = np.stack(np.meshgrid(_CENTRES, _CENTRES)).reshape(2, -1)
"""x, y of a crop's pixels, as fractions of its sides."""
