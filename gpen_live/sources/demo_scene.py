"""The demo camera's pictures: a person in front of a soft room, moving, filmed by a cheap webcam.

The person is `skimage.data.astronaut()` (NASA's portrait of Eileen Collins, public domain, part of scikit-image), cut out along
the outlines below into head and body, so that the head can turn on its neck.
"""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.frame import Array, Image, Size

Points = npt.NDArray[np.float32]

LANDMARKS = ((204.5, 101.0), (247.5, 103.0), (226.0, 122.5), (207.5, 142.5), (241.5, 143.5))
"""Eyes, nose tip and corners of the mouth in the photo, left to right as seen: the five points of face alignment."""

_FACE_HEIGHT = 112.0  # pixels of the photo, hairline to chin
_FACE_CENTRE = (225.0, 122.0)
_NECK = (222.0, 188.0)
_WAIST = (224.0, 420.0)

# Outlines in pixels of the photo.
_HEAD = (
    *(
        (201, 23),
        (185, 38),
        (174, 43),
        (163, 51),
        (156, 58),
        (153, 68),
        (154, 92),
        (157, 104),
        (167, 115),
        (170, 121),
        (174, 128),
    ),
    *((182, 132), (184, 152), (185, 176), (187, 196), (222, 202), (255, 198), (255, 176), (257, 163), (264, 149), (266, 137)),
    *((275, 134), (290, 117), (296, 107), (300, 92), (299, 72), (296, 66), (296, 58), (288, 43), (276, 31), (248, 18), (227, 16)),
    *((216, 20), (207, 20)),
)
_COLLAR_BEHIND_HEAD = ((184, 148), (205, 151), (230, 160), (255, 174))
_BODY = (
    *_COLLAR_BEHIND_HEAD,
    *((266, 180), (280, 192), (292, 206), (300, 222), (304, 236), (319, 243), (340, 262), (345, 272), (347, 282), (352, 287)),
    *((356, 302), (357, 323), (379, 345), (418, 345), (436, 351), (455, 361), (478, 384), (488, 405), (493, 421), (498, 455)),
    *((498, 473), (507, 484), (511, 511), (39, 511), (37, 502), (29, 493), (25, 478), (23, 460), (24, 432), (19, 418), (19, 390)),
    *((25, 374), (26, 342), (34, 315), (40, 294), (54, 267), (65, 246), (76, 235), (90, 227), (109, 207), (115, 203), (113, 188)),
    *((122, 180), (128, 168), (140, 158), (155, 151), (170, 148)),
)
_COLLAR_COLOUR = (140, 112, 118)  # BGR
_FABRIC_COLOUR = (6, 7, 8)

_RENDER_HEIGHT = 432  # the photo has no more detail than that; enlarging it to the frame is the webcam's softness
_NOISE_TILES = 2
_NOISE_MARGIN = 64


class DemoScene:
    """Renders frame n of the demo camera; the same n, size and frame rate give the same bytes.

    The face is 25 to 40 % of the frame's height (less in frames that are taller than wide) and stays inside the frame.
    """

    def __init__(self, size: Size, fps: float) -> None:
        self.size = size
        self.fps = fps
        shrink = min(1.0, _RENDER_HEIGHT / min(size.width, size.height))
        self._render = Size(max(1, round(size.width * shrink)), max(1, round(size.height * shrink)))
        self._unit = min(self._render.height, 0.9 * self._render.width)
        # Layers are reduced beforehand where the scene shows them smaller than the photo, against aliasing.
        self._layer_scale = min(1.0, 0.40 * self._unit / _FACE_HEIGHT)
        self._body, self._head = (_resized(layer, self._layer_scale) for layer in _layers())
        self._room = _room(self._render)
        self._brighter, self._darker = _noise(size)

    def frame(self, n: int) -> Image:
        """The picture number n >= 0."""
        body, head = self._poses(n)
        rendered = self._room.copy()
        _place(rendered, self._body, body, self._layer_scale)
        _place(rendered, self._head, head, self._layer_scale)
        enlarged = cv2.resize(rendered, (self.size.width, self.size.height), interpolation=cv2.INTER_LINEAR)
        return self._with_noise(np.asarray(enlarged, np.uint8), n)

    def landmarks(self, n: int) -> Points:
        """Where the five LANDMARKS are in frame n: 5 x 2, x and y in pixels."""
        _, head = self._poses(n)
        points = np.asarray(LANDMARKS) @ head[:, :2].T + head[:, 2]
        enlarged = (points + 0.5) * (self.size.width / self._render.width, self.size.height / self._render.height) - 0.5
        return np.asarray(enlarged, np.float32)

    def _poses(self, n: int) -> tuple[Array, Array]:
        """The 2 x 3 transforms from the photo to the rendered picture of body and head."""
        t = n / self.fps

        def wave(period: float, phase: float = 0.0) -> float:
            return math.sin(2 * math.pi * (t / period + phase))

        width, height = self._render.width, self._render.height
        scale = (0.32 + 0.06 * wave(16.7, 0.1)) * self._unit / _FACE_HEIGHT
        body = (
            _translation(width * (0.5 + 0.05 * wave(9.1) + 0.015 * wave(3.7)), height * (0.47 + 0.015 * wave(5.3, 0.3)))
            @ _scaling(scale, scale)
            @ _translation(-_FACE_CENTRE[0], -_FACE_CENTRE[1])
            @ _rotation_about(_WAIST, 2.0 * wave(9.1, 0.02))
        )
        head = (
            body
            @ _translation(2.5 * wave(6.1, 0.2), 1.0 * wave(2.9))
            @ _rotation_about(_NECK, 9.0 * wave(7.3, 0.15) + 3.0 * wave(2.7))
            @ _scaling_about(_NECK, 0.97 + 0.03 * wave(6.1, 0.45), 0.985 + 0.015 * wave(4.3))
        )
        return body[:2], head[:2]

    def _with_noise(self, picture: Image, n: int) -> Image:
        rng = np.random.default_rng(n)
        tile, y, x = rng.integers((_NOISE_TILES, _NOISE_MARGIN, _NOISE_MARGIN))
        window = np.s_[y : y + self.size.height, x : x + self.size.width]
        cv2.add(picture, self._brighter[tile][window], dst=picture)
        cv2.subtract(picture, self._darker[tile][window], dst=picture)
        return picture


def _layers() -> tuple[Image, Image]:
    """Body and head as premultiplied BGRA of the photo's size."""
    photo = _photo()
    behind = photo.copy()
    # What the head hides when it sits straight and uncovers when it turns: the collar's back edge and dark fabric below it.
    hidden = [*_COLLAR_BEHIND_HEAD, (256, 200), (184, 196)]
    cv2.fillPoly(behind, [np.array(hidden, np.int32)], _FABRIC_COLOUR)
    below_edge = [(x, y + 3) for x, y in _COLLAR_BEHIND_HEAD]
    cv2.polylines(behind, [np.array(below_edge, np.int32)], False, _COLLAR_COLOUR, 5, cv2.LINE_AA)
    return _cut_out(behind, _BODY, 1.0), _cut_out(photo, _HEAD, 1.6)


def _photo() -> Image:
    """`skimage.data.astronaut()` in BGR, read from the package's file: importing scikit-image takes longer than all else here."""
    package = importlib.util.find_spec("skimage")
    assert package is not None
    assert package.submodule_search_locations is not None
    png = (Path(package.submodule_search_locations[0]) / "data" / "astronaut.png").read_bytes()
    # Without the colour profile, an odd one: libpng would warn of it on the terminal.
    name = png.index(b"iCCP")
    length = int.from_bytes(png[name - 4 : name], "big")
    png = png[: name - 4] + png[name + 4 + length + 4 :]
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _cut_out(photo: Image, outline: tuple[tuple[int, int], ...], softness: float) -> Image:
    alpha = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(alpha, [np.array(outline, np.int32)], (255,), cv2.LINE_AA)
    # Pulled in by about the softness, so that the soft edge lies within the person and shows nothing of the photo's backdrop.
    edge = cv2.GaussianBlur(cv2.erode(alpha, np.ones((3, 3), np.uint8)), (0, 0), softness)
    premultiplied = photo.astype(np.float32) * (edge[:, :, None] / 255.0)
    return np.dstack([np.rint(premultiplied).astype(np.uint8), edge]).astype(np.uint8)


def _place(picture: Image, layer: Image, pose: Array, layer_scale: float) -> None:
    """Draws a premultiplied layer over `picture`, only where it lies."""
    pose = pose @ _scaling(1 / layer_scale, 1 / layer_scale)
    height, width = picture.shape[:2]
    corners = np.array([(0, 0, 1), (layer.shape[1], 0, 1), (0, layer.shape[0], 1), (layer.shape[1], layer.shape[0], 1)]) @ pose.T
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)), 0, (width, height)).astype(int)
    if right <= left or bottom <= top:
        return
    warped = cv2.warpAffine(layer, (_translation(-left, -top) @ np.vstack([pose, (0, 0, 1)]))[:2], (right - left, bottom - top))
    through = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(warped, 3)), cv2.COLOR_GRAY2BGR)
    region = picture[top:bottom, left:right]
    behind = cv2.multiply(region, through, scale=1 / 255)
    cv2.add(behind, cv2.cvtColor(warped, cv2.COLOR_BGRA2BGR), dst=region)


def _resized(layer: Image, scale: float) -> Image:
    return (
        layer if scale == 1.0 else np.asarray(cv2.resize(layer, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    )


def _room(size: Size) -> Image:
    """A living room in the evening, far out of focus: warm wall, window, lamp, bookshelf, plant."""
    width, height = 768, 432
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    wall = np.empty((height, width, 3), np.float32)
    wall[:] = (128, 146, 158)
    wall *= (1.08 - 0.45 * (x / width - 0.35) ** 2 - 0.28 * y / height)[:, :, None]
    room = np.clip(wall, 0, 255).astype(np.uint8)

    cv2.rectangle(room, (36, -20), (196, 236), (196, 206, 210), -1)  # window frame
    for left in (48, 122):
        for top in (-10, 112):
            cv2.rectangle(room, (left, top), (left + 62, top + 112), (222, 214, 204), -1)
    cv2.rectangle(room, (0, -20), (30, 330), (112, 122, 140), -1)  # curtains
    cv2.rectangle(room, (204, -20), (232, 330), (112, 122, 140), -1)

    for shelf in (96, 190, 284):  # bookshelf
        left = 560
        while left < 760:
            thick, tall = int(rng.integers(8, 20)), int(rng.integers(50, 74))
            colour = [(70, 74, 118), (92, 96, 80), (120, 96, 70), (150, 168, 178), (64, 92, 128), (88, 80, 84)][rng.integers(6)]
            cv2.rectangle(room, (left, shelf - tall), (left + thick, shelf), colour, -1)
            left += thick + 2
        cv2.rectangle(room, (548, shelf), (768, shelf + 8), (72, 88, 112), -1)
    cv2.rectangle(room, (0, 346), (768, 432), (84, 98, 116), -1)  # sofa
    for centre, radius in (((120, 352), 46), ((84, 318), 30), ((150, 312), 32), ((116, 290), 26)):  # plant
        cv2.circle(room, centre, radius, (70, 92, 76), -1)

    soft = cv2.GaussianBlur(room, (0, 0), 11.0).astype(np.float32)
    glow = np.exp(-(((x - 508) / 74) ** 2 + ((y - 118) / 66) ** 2))[:, :, None]
    soft += glow * np.array((58, 92, 118), np.float32)
    picture = np.clip(soft, 0, 255).astype(np.uint8)

    # Fills the frame whatever its shape: centred, as much of it as fits.
    scale = max(size.width / width, size.height / height)
    matrix = np.array([(scale, 0, (size.width - scale * width) / 2), (0, scale, (size.height - scale * height) / 2)])
    filled = cv2.warpAffine(picture, matrix, (size.width, size.height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(filled, np.uint8)


def _noise(size: Size) -> tuple[list[Image], list[Image]]:
    """What a small sensor in room light adds and takes away: fine grain in brightness and blotches in colour."""
    rng = np.random.default_rng(11)
    width, height = size.width + _NOISE_MARGIN, size.height + _NOISE_MARGIN
    blotch = max(2.0, size.height / 160)
    brighter, darker = [], []
    for _ in range(_NOISE_TILES):
        grain = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), 0.7) * 2.35 * 3.2
        coarse = (max(1, round(height / blotch)), max(1, round(width / blotch)), 3)
        colour = cv2.resize(rng.standard_normal(coarse, np.float32), (width, height), interpolation=cv2.INTER_CUBIC) * 2.6
        tile = np.rint(grain[:, :, None] + colour - colour.mean(axis=2, keepdims=True)).astype(np.int16)
        brighter.append(np.clip(tile, 0, 255).astype(np.uint8))
        darker.append(np.clip(-tile, 0, 255).astype(np.uint8))
    return brighter, darker


def _translation(x: float, y: float) -> Array:
    return np.array([(1.0, 0.0, x), (0.0, 1.0, y), (0.0, 0.0, 1.0)])


def _scaling(x: float, y: float) -> Array:
    return np.diag([x, y, 1.0])


def _scaling_about(centre: tuple[float, float], x: float, y: float) -> Array:
    about: Array = _translation(*centre) @ _scaling(x, y) @ _translation(-centre[0], -centre[1])
    return about


def _rotation_about(centre: tuple[float, float], degrees: float) -> Array:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([(cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0)])
    about: Array = _translation(*centre) @ turn @ _translation(-centre[0], -centre[1])
    return about
