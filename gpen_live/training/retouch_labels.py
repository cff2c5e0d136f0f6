"""Labels for the retouch network, from photos alone: nobody drew them, and no network for parsing faces had a part in them.

    python -m gpen_live.training.retouch_labels --photos PHOTOS [--photos ...] --mediapipe FOLDER --out portraits.npz

PHOTOS: as for `gpen_live.facedata.pack`; FOLDER holds MediaPipe's `selfie_segmentation.tflite`. The face mesh says where skin is
for sure, and where eyes, brows, lips and nostrils are; a person mask says what is background. Between lie hairline, ears, neck,
beards and glasses: a colour model of this face's own skin, with its light and its texture, seeds GrabCut (Rother et al., SIGGRAPH
2004), and a guided filter (He et al., PAMI 2013) softens its edge. Photos in which much of the face's middle did not become skin
are left out. What is left of the mistakes differs from photo to photo, so a network learns little of it: its mattes are better
than those that it was taught with, and are mixed into them for the next one (`--teacher`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.facedata.blur import blur_kernels
from gpen_live.facedata.pack import MARGIN, PACKED, SIZE, aligned, landmarks_of, read_rows
from gpen_live.faces import mesh
from gpen_live.faces.align import to_template
from gpen_live.inference.face_mesh import FaceMesh
from gpen_live.inference.openvino.graph import build
from gpen_live.inference.openvino.network import compiled, core, library
from gpen_live.models.files import read_arrays
from gpen_live.nets.layers import Network
from gpen_live.nets.retouch import DEPTH, LAYERS, graph
from gpen_live.training.person import PersonMask

Map = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]

HALF = PACKED // 2
"""Side of a matte: the canvas at half its size."""
_LUMA = np.array([0.114, 0.587, 0.299], np.float32)  # BGR

_NOSTRILS = ((98, 97, 2, 99, 240, 64), (327, 326, 2, 328, 460, 294))
_LOWER_LIDS = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (263, 249, 390, 373, 374, 380, 381, 382, 362))
_BELOW_EYES = ((31, 228, 229, 230, 231, 232), (261, 448, 449, 450, 451, 452))
_ABOVE_CHEEKS = ((111, 117, 118, 119, 120, 121), (340, 346, 347, 348, 349, 350))
_CHEEKS = ((117, 118, 119, 120, 100, 142, 36, 205, 50), (346, 347, 348, 349, 329, 371, 266, 425, 280))
_SURE = (
    (109, 10, 338, 337, 336, 9, 107, 108),
    (117, 118, 119, 100, 36, 205, 50),
    (346, 347, 348, 329, 266, 425, 280),
    (168, 197, 5, 45, 220, 440, 275),
)
"""Forehead, cheeks and nose: skin in nearly every photo."""
_GLOSSY = (
    ((103, 104, 105, 66, 107, 9, 336, 296, 334, 333, 332, 297, 338, 10, 109, 67), 0.9),
    ((168, 6, 197, 195, 5, 4, 1, 45, 275), 1.0),
    ((116, 117, 118, 101, 36, 205, 50, 123), 0.8),
    ((345, 346, 347, 330, 266, 425, 280, 352), 0.8),
    ((83, 18, 313, 406, 200, 182), 0.5),
)
"""Where skin shines, and how much: forehead, nose, cheeks, chin."""
_DARK_CORNERS = {
    **dict.fromkeys((61, 291, 2, 33, 263), 0.2),
    **dict.fromkeys((64, 294, 98, 327), 0.19),
    **dict.fromkeys((133, 362), 0.25),
    **dict.fromkeys((55, 285, 8, 9, 168), 0.16),
}
"""Points whose surroundings are dark without a spot, and how far these reach, in distances of the eyes."""
_LEAST_COVER, _LEAST_SCORE = 0.8, 0.9999


@dataclass(frozen=True)
class Label:
    """What is known of one portrait, all in [0, 1]; see `gpen_live.training.retouch_paint.Portraits`.

    `cover`: share of the face's upper middle that became skin.
    """

    matte: Map
    spots: Map
    under: Map
    region: Map
    shine: Map
    zone: Map
    cover: float


def label(canvas: Bytes, points: Points, person: Map) -> Label | None:
    """Labels of one portrait; None: it does not show enough of a face.

    Args:
        canvas: P x P x 3, BGR, a face on GPEN's template with its margin.
        points: 478 x 2 in pixels of the canvas.
        person: P x P, where the photo shows a person.
    """
    face = _Face(canvas, (points + 0.5) / 2 - 0.5, _halved(person))
    skin = _Skin.of(face)
    if skin is None:
        return None
    binary = _cut(face, skin)
    if binary is None:
        return None
    frame = _frames(face, points)
    matte = _softened(face, skin, binary, frame)
    inner = (cv2.erode(face.oval, _disc(2)) > 0.5) & ~face.near_features & (face.rows < face.points[mesh.NOSE_BASE[1], 1])
    region, under = _below_eyes(face, skin, matte)
    zone = np.zeros((HALF, HALF), np.float32)
    for indices, amount in _GLOSSY:
        zone = np.maximum(zone, amount * _blur(_polygon(_hull(face.points[list(indices)])), 0.07 * face.apart))
    return Label(
        matte=matte,
        spots=_own_spots(face, skin, matte, frame),
        under=under,
        region=region,
        shine=_shine(face, skin, matte),
        zone=zone * matte,
        cover=float(matte[inner].mean()) if inner.any() else 0.0,
    )


class _Face:
    """A portrait at half its size, and where the mesh says that its parts are."""

    def __init__(self, canvas: Bytes, points: Points, person: Map) -> None:
        self.points, self.person, self.canvas = points, person, canvas
        small = cv2.resize(canvas, (HALF, HALF), interpolation=cv2.INTER_AREA)
        logs = np.log(np.maximum(small.astype(np.float32) / 255, 2 / 255))
        self.luma: Map = logs @ _LUMA
        self.red, self.blue = logs[..., 2] - logs[..., 1], logs[..., 0] - logs[..., 1]
        self.fine: Map = np.log(np.maximum(canvas.astype(np.float32) / 255, 2 / 255)) @ _LUMA
        self.oval, self.lips = _polygon(points[list(mesh.FACE_OVAL)]), _polygon(_hull(points[list(mesh.LIPS_OUTER)]))
        self.eyes = np.maximum(*(_polygon(points[list(each)]) for each in (mesh.LEFT_EYE, mesh.RIGHT_EYE)))
        self.brows = np.maximum(*(_polygon(_hull(points[list(each)])) for each in (mesh.LEFT_BROW, mesh.RIGHT_BROW)))
        self.apart = float(np.linalg.norm(points[list(mesh.LEFT_EYE)].mean(0) - points[list(mesh.RIGHT_EYE)].mean(0)))
        self.rows, self.columns = np.mgrid[:HALF, :HALF].astype(np.float32)
        self.sure = np.max([_polygon(_hull(points[list(each)])) for each in _SURE], axis=0) > 0.5
        self.sure &= (cv2.dilate(self.brows, _disc(2)) < 0.1) & (cv2.dilate(self.eyes, _disc(2)) < 0.1)
        grown = [cv2.dilate(part, _disc(by)) > 0.2 for part, by in ((self.eyes, 3), (self.brows, 2), (self.lips, 2))]
        self.near_features = grown[0] | grown[1] | grown[2]


@dataclass(frozen=True)
class _Skin:
    """How unlike this face's skin each pixel is: `colour` by its colour in this light, `hair` by greyness and texture too.

    `tone`: luminance beyond the light's, `texture`: fine contrast in units of the skin's own.
    """

    colour: Map
    hair: Map
    tone: Map
    texture: Map
    saturation: Map

    @staticmethod
    def of(face: _Face) -> _Skin | None:
        sure = face.sure
        if sure.sum() < 100:
            return None
        middle = face.points[list(mesh.FACE_OVAL)].mean(0)
        x, y = (face.columns - middle[0]) / face.apart / 2, (face.rows - middle[1]) / face.apart / 2
        basis = np.stack([np.ones_like(x), x, y, x * x], axis=-1)
        rows, luma = basis[sure], face.luma[sure]
        kept = np.ones(len(rows), bool)
        for _ in range(3):
            light = np.linalg.lstsq(rows[kept], luma[kept], rcond=None)[0]
            rest = luma - rows @ light
            kept = np.abs(rest) < 2.5 * (1.4826 * np.median(np.abs(rest - np.median(rest))) + 0.02)
        fit = np.clip(basis @ light, luma[kept].min() - 0.2, luma[kept].max() + 0.2)
        tone = (face.luma - fit).astype(np.float32)
        centre, spread = [], []
        for values, least in ((face.red[sure][kept], 0.05), (face.blue[sure][kept], 0.06)):
            centre.append(float(np.median(values)))
            spread.append(1.6 * max(least, 1.4826 * float(np.median(np.abs(values - centre[-1])))))
        colour = ((face.red - centre[0]) / spread[0]) ** 2 + ((face.blue - centre[1]) / spread[1]) ** 2
        colour = colour + (np.minimum(tone, 0) / 0.34) ** 2 + (np.maximum(tone, 0) / 0.4) ** 2

        high = np.minimum(np.abs(face.fine - _blur(face.fine, 1.6)), 0.3)
        energy = cv2.resize(np.sqrt(_blur(high**2, 2.2)), (HALF, HALF), interpolation=cv2.INTER_AREA)
        texture = np.clip(energy / (np.median(energy[sure]) + 0.006), 0, 12).astype(np.float32)
        saturation = face.red - face.blue
        own = centre[0] - centre[1]
        grey = np.clip((own - saturation) / max(0.09, 0.22 * own), 0, 6)
        # What is grey, light and smooth mirrors the light.
        grey = np.where((tone > 0.04) & (_blur(texture, 1.5) < 2.4), 0.3 * grey, grey)
        rough = np.clip(texture - 2.2, 0, 5) * cv2.erode((face.person > 0.5).astype(np.uint8), _disc(4))
        # Smooth shades within the face are its form.
        calm = cv2.erode(face.oval, _disc(2)) * np.clip((1.9 - _blur(texture, 1.0)) * 2, 0, 1)
        colour = colour * (1 - 0.7 * calm)
        hair = colour + (1 - 0.7 * calm) * 2.5 * grey**2 + 0.7 * rough**2
        return _Skin(
            colour=_blur(colour.clip(0, 60).astype(np.float32), 0.7),
            hair=_blur(hair.clip(0, 60).astype(np.float32), 0.7),
            tone=tone,
            texture=texture,
            saturation=(saturation - own).astype(np.float32),
        )


def _cut(face: _Face, skin: _Skin) -> Bytes | None:
    """Skin or not, by GrabCut; only what hangs together with the face's middle."""
    oval = face.points[list(mesh.FACE_OVAL)]
    (left, top), (right, bottom) = oval.min(0), oval.max(0)
    width, height = right - left, bottom - top
    x, y = face.columns, face.rows
    head = (x > left - 0.22 * width) & (x < right + 0.22 * width) & (y > top - 0.42 * height) & (y < bottom)
    beside = 0.1 * width + 0.5 * (y - bottom).clip(0)
    neck = (y >= bottom - 0.25 * height) & (y < bottom + 0.75 * height) & (x > left - beside) & (x < right + beside)
    may = (head | neck) & (face.person > 0.3)
    inner = cv2.erode(face.oval, _disc(2)) > 0.5
    hairy = cv2.erode((skin.hair > 9).astype(np.uint8), _disc(1)) > 0
    low = y > face.points[[98, 327], 1].mean()
    beard = hairy & low & (cv2.dilate(face.lips, _disc(2)) < 0.3) & (skin.hair > 12) & (_blur(skin.texture, 1.5) > 1.7)
    outside = cv2.dilate(face.oval, _disc(2)) < 0.5

    seeds = np.full((HALF, HALF), cv2.GC_PR_BGD, np.uint8)
    seeds[may & (skin.hair < np.where(y < top + 0.1 * height, 3, 5))] = cv2.GC_PR_FGD
    seeds[inner & (skin.hair < 14)] = cv2.GC_PR_FGD
    seeds[inner & (skin.colour < 6) & (skin.hair < 6)] = cv2.GC_FGD
    seeds[outside & ((skin.colour > 30) | ((skin.hair > 26) & (face.person >= 0.8)))] = cv2.GC_BGD
    seeds[(skin.colour > 45) | (hairy & ~inner & (y < bottom - 0.3 * height)) | beard] = cv2.GC_BGD
    seeds[(~may & (face.oval <= 0.5)) | (face.person < 0.15)] = cv2.GC_BGD
    seeds[((face.brows > 0.5) & (skin.tone < -0.18)) | (face.eyes > 0.5) | (face.lips > 0.5)] = cv2.GC_BGD
    if min((seeds == cv2.GC_FGD).sum(), (seeds == cv2.GC_BGD).sum()) < 200:
        return None
    hue = face.red + face.blue
    seen = np.stack(
        [
            128 + 100 * skin.tone,
            128 + 160 * skin.saturation,
            60 + 28 * np.log2(np.maximum(skin.texture, 0.25)) + 60 * (hue - np.median(hue[face.sure])),
        ],
        axis=-1,
    )
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(seen.clip(0, 255).astype(np.uint8), seeds, None, *models, 4, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    found = (((seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)) & (skin.colour <= 30)).astype(np.uint8)
    _, parts = cv2.connectedComponents(found, connectivity=4)
    kept = np.unique(parts[face.sure & (found > 0)])
    found = np.isin(parts, kept[kept > 0]).astype(np.uint8)
    found = np.asarray(cv2.morphologyEx(found, cv2.MORPH_OPEN, _disc(1)), np.uint8)
    # Small holes away from eyes, brows and lips are moles and highlights.
    count, parts, about, _ = cv2.connectedComponentsWithStats(1 - found, connectivity=4)
    for index in range(1, count):
        if about[index, cv2.CC_STAT_AREA] < 30 and not (face.near_features & (parts == index)).any():
            found[parts == index] = 1
    return found


def _frames(face: _Face, points: Points) -> Map:
    """Frames of glasses: long, thin, dark lines around the eyes."""
    around = [*mesh.LEFT_BROW, *mesh.RIGHT_BROW, *_ABOVE_CHEEKS[0], *_ABOVE_CHEEKS[1], 127, 356, 34, 264]
    where = _polygon(_hull(points[around]), PACKED) > 0.5
    where &= cv2.dilate(_grown(np.maximum(face.eyes, face.brows)), _disc(3)) <= 0.3
    dark = cv2.morphologyEx(face.fine, cv2.MORPH_CLOSE, _disc(5)) - face.fine
    count, parts, about, _ = cv2.connectedComponentsWithStats(((dark > 0.3) & where).astype(np.uint8), connectivity=8)
    found = np.zeros((PACKED, PACKED), np.float32)
    for index in range(1, count):
        width, height, area = (int(about[index, each]) for each in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
        if width > 0.6 * face.apart and area < 5.5 * max(width, height):
            found[parts == index] = 1
    return np.asarray(cv2.resize(cv2.dilate(found, _disc(1)), (HALF, HALF), interpolation=cv2.INTER_AREA), np.float32)


def _softened(face: _Face, skin: _Skin, binary: Bytes, frame: Map) -> Map:
    soft = _guided(face.luma, binary.astype(np.float32), 3, 0.004)
    soft = np.clip((soft - 0.15) / 0.7, 0, 1)
    nostrils = cv2.dilate(np.max([_polygon(_hull(face.points[list(each)])) for each in _NOSTRILS], axis=0), _disc(1))
    holes = ((nostrils > 0.3) & (skin.tone < -0.45)).astype(np.float32)
    for part, gain in ((frame, 1.5), (_blur(face.eyes, 0.6), 1.6), (_blur(face.lips, 0.6), 1.5), (_blur(holes, 0.6), 1.5)):
        soft = soft * (1 - np.clip(gain * part, 0, 1))
    return np.asarray(soft, np.float32)


def _below_eyes(face: _Face, skin: _Skin, matte: Map) -> tuple[Map, Map]:
    """Where it may be dark under the eyes, and by how much it is darker than the cheek there, in DEPTH."""
    weight = matte * _blur((skin.colour < 14).astype(np.float32), 1.0)
    luma = _mean(face.luma, weight + 1e-3, 1.2)
    region, dark = np.zeros_like(luma), np.zeros_like(luma)
    for lid, ring, above, cheek in zip(_LOWER_LIDS, _BELOW_EYES, _ABOVE_CHEEKS, _CHEEKS, strict=True):
        rim = 0.55 * face.points[list(reversed(ring))] + 0.45 * face.points[list(reversed(above))]
        there = _blur(_polygon(np.vstack([face.points[list(lid)], rim])), 1.5)
        pattern = _polygon(_hull(face.points[list(cheek)])) * weight
        if pattern.sum() < 10:
            continue
        wanted = _mean(luma, pattern, 0.3 * face.apart)
        region = np.maximum(region, there)
        dark = np.maximum(dark, np.clip(wanted - luma - 0.05, 0, DEPTH) / DEPTH * there)
    skin_there = matte * (1 - cv2.dilate(face.eyes, _disc(1)))
    return region * skin_there, _blur(dark, 1.0) * skin_there


def _shine(face: _Face, skin: _Skin, matte: Map) -> Map:
    """By how much highlights are lighter than the skin around, in DEPTH: they are paler, too, than the form's own light."""
    weight, reach = matte * _blur((skin.colour < 14).astype(np.float32), 1.0), 0.55 * face.apart
    base = _mean(face.luma, weight + 1e-4, reach)
    for _ in range(2):
        base = _mean(face.luma, weight * (np.abs(face.luma - base) < 0.15) + 1e-4, reach)
    own = np.hypot(*(_mean(each, weight + 1e-4, reach) for each in (face.red, face.blue)))
    pale = np.clip((own - np.hypot(face.red, face.blue)) / (0.35 * own + 0.02), 0, 1).astype(np.float32)
    lighter = _blur(np.clip(face.luma - base - 0.1, 0, DEPTH).astype(np.float32), 0.8) / DEPTH
    away = (cv2.dilate(face.eyes, _disc(2)) < 0.1) & (cv2.dilate(face.lips, _disc(1)) < 0.1) & (face.oval > 0.3)
    return np.asarray(np.clip(lighter * np.clip(1.6 * _blur(pale, 1.0), 0, 1), 0, 1) * matte * away, np.float32)


def _own_spots(face: _Face, skin: _Skin, matte: Map, frame: Map) -> Map:
    """Small, round, dark or red spots of the portrait's own, P x P: the Hessian's blobs (Lindeberg, IJCV 1998) at four scales."""
    banned = np.maximum(cv2.dilate(face.lips, _disc(int(0.06 * face.apart + 1))), cv2.dilate(frame, _disc(3)))
    for index, reach in _DARK_CORNERS.items():
        cv2.circle(banned, [round(float(v)) for v in face.points[index]], round(reach * face.apart), (1.0,), -1)
    away = (banned < 0.5) & (_blur(skin.texture, 1.2) < 3) & (cv2.dilate(np.maximum(face.eyes, face.brows), _disc(2)) < 0.1)
    allowed = _grown(cv2.erode(matte, _disc(2)) * away)
    out = np.zeros((PACKED, PACKED), np.float32)
    for values, sign, unit in ((face.fine, 1, 0.055), (_grown(face.red), -1, 0.05)):
        filled = np.where(allowed > 0.5, values, _mean(values, allowed + 1e-3, 3.0))
        for sigma, factor in ((1.1, 0.8), (1.6, 0.8), (2.3, 0.9), (3.3, 1.2)):
            smooth = _blur(filled, sigma)
            xx, yy, xy = (cv2.Sobel(smooth, cv2.CV_32F, *d, ksize=3) * (sigma**2 / 4) for d in ((2, 0), (0, 2), (1, 1)))
            apart = np.sqrt((xx - yy) ** 2 + 4 * xy**2)
            weak, strong = (sign * (xx + yy) - apart) / 2, (sign * (xx + yy) + apart) / 2
            blob = weak * (weak > 0.45 * strong)
            usual = float(np.median(np.abs(blob[allowed > 0.6]))) if (allowed > 0.6).any() else 1.0
            found = np.clip((blob - factor * max(0.35 * unit, 2.5 * usual)) / (0.55 * unit), 0, 1) * (allowed > 0.35)
            out = np.maximum(out, cv2.dilate(found, _disc(round(1.1 * sigma))))
    return _blur(out.astype(np.float32), 0.7)


# --- small tools ----------------------------------------------------------------------------------


def _polygon(points: Points, side: int = HALF) -> Map:
    out = np.zeros((side, side), np.uint8)
    cv2.fillPoly(out, [np.round(points * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return out.astype(np.float32) / 255


def _hull(points: Points) -> Points:
    return np.asarray(cv2.convexHull(points.astype(np.float32))[:, 0], np.float64)


def _blur(x: Map, sigma: float) -> Map:
    return np.asarray(cv2.GaussianBlur(x, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32)


def _mean(x: Map, weight: Map, sigma: float) -> Map:
    return np.asarray(_blur(x * weight, sigma) / np.maximum(_blur(weight, sigma), 1e-4), np.float32)


def _disc(radius: int) -> Bytes:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def _halved(x: Map) -> Map:
    return np.asarray(cv2.resize(x, (HALF, HALF), interpolation=cv2.INTER_AREA), np.float32)


def _grown(x: Map) -> Map:
    return np.asarray(cv2.resize(x, (PACKED, PACKED)), np.float32)


def _guided(guide: Map, x: Map, radius: int, least: float) -> Map:
    def mean(values: Map) -> Map:
        side = 2 * radius + 1
        return np.asarray(cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)

    of_guide, of_x = mean(guide), mean(x)
    slope = (mean(guide * x) - of_guide * of_x) / (mean(guide * guide) - of_guide**2 + least)
    return mean(slope) * guide + mean(of_x - slope * of_guide)


# --- the file -------------------------------------------------------------------------------------

_LEVELS = {"matte": 31, "spots": 7, "under": 31, "region": 31, "shine": 31, "zone": 31}
"""Steps that are kept of each map: few pack small."""


class Teacher:
    """Mattes of a network that was trained before."""

    def __init__(self, weights: Path) -> None:
        arrays, _ = read_arrays(weights)
        model = build(library(), Network(graph(), arrays))
        # In crops of its own size: by the zeros around them it knows where a face is.
        shapes = ((2, 3, SIZE, SIZE), (2, len(LAYERS), SIZE // 2, SIZE // 2))
        model.reshape({each: library().PartialShape(list(shape)) for each, shape in zip(model.inputs, shapes, strict=True)})
        self._request = compiled(core(), model, "fp32", 1)

    def improved(self, matte: Map, canvas: Bytes) -> Map:
        """The label's matte with the network's, which weighs more the less they agree, sharp where the picture is."""
        crop = canvas[MARGIN:-MARGIN, MARGIN:-MARGIN, ::-1]
        picture = np.ascontiguousarray(crop.transpose(2, 0, 1), np.float32) / 127.5 - 1
        layers = np.zeros((2, len(LAYERS), SIZE // 2, SIZE // 2), np.float32)
        for _ in range(2):
            self._request.infer({0: np.stack([picture, picture[..., ::-1]]), 1: layers})
            layers = self._request.get_output_tensor(0).data.copy()
        edge = MARGIN // 2
        found = matte.copy()
        found[edge:-edge, edge:-edge] = (((layers[0, 0] + layers[1, 0, :, ::-1]) / 2 - 0.12) / 0.76).clip(0, 1)
        agreed = float(np.minimum(found, matte).sum() / max(np.maximum(found, matte).sum(), 1))
        share = 0.5 if agreed > 0.84 else 0.75 if agreed > 0.76 else 0.92
        mixed = ((1 - share) * matte + share * found).astype(np.float32)
        small = cv2.resize(canvas, (HALF, HALF), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        guide = np.asarray(np.log(np.maximum(small, 2 / 255)) @ _LUMA, np.float32)
        return np.asarray(((mixed + _guided(guide, mixed, 2, 0.004)) / 2 - 0.2).clip(0, 0.6) / 0.6, np.float32)


def pack(
    photos: Sequence[Path],
    mediapipe: Path,
    out: Path,
    *,
    split: str = "train",
    smallest: float = 230,
    quality: int = 91,
    teacher: Teacher | None = None,
) -> int:
    """Writes the portraits of a split, with their labels and a bank of blur kernels; returns how many."""
    find, person = FaceMesh.load(), PersonMask(mediapipe / "selfie_segmentation.tflite")
    coded: list[Bytes] = []
    maps: dict[str, list[Bytes]] = {name: [] for name in (*_LEVELS, "valid")}
    for folder, row in _rows(photos, split, smallest):
        image = cv2.imread(str(folder / "photos" / row["file"]), cv2.IMREAD_COLOR)
        if image is None:
            raise FileNotFoundError(f"{row['file']} is missing or is no picture")
        canvas = aligned(np.asarray(image, np.uint8), landmarks_of(row))
        found = find(canvas[MARGIN:-MARGIN, MARGIN:-MARGIN])
        points = found.points[:, :2].astype(np.float64) * SIZE - 0.5 + MARGIN
        made = label(canvas, points, person(canvas)) if found.score > _LEAST_SCORE else None
        if made is None or made.cover < _LEAST_COVER:
            continue
        if teacher is not None:
            made = replace(made, matte=teacher.improved(made.matte, canvas))
        coded.append(cv2.imencode(".webp", canvas, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].astype(np.uint8).ravel())
        for name, levels in _LEVELS.items():
            side = HALF if name in ("matte", "spots") else HALF // 2
            values = cv2.resize(getattr(made, name), (side, side), interpolation=cv2.INTER_AREA)
            maps[name].append(np.asarray(np.round(values.clip(0, 1) * levels) * (255 // levels), np.uint8))
        matrix = to_template(landmarks_of(row), SIZE)
        matrix[:, 2] += MARGIN
        inside = cv2.warpAffine(np.ones(image.shape[:2], np.float32), matrix, (PACKED, PACKED))
        inside = cv2.resize(inside, (HALF // 2, HALF // 2), interpolation=cv2.INTER_AREA)
        maps["valid"].append(np.where(inside > 0.99, 255, 0).astype(np.uint8))
    np.savez_compressed(
        out,
        pictures=np.concatenate(coded),
        ends=np.cumsum([len(each) for each in coded]),
        kernels=blur_kernels(1024).astype(np.float16),
        **{name: np.array(values) for name, values in maps.items()},
    )
    return len(coded)


def _rows(photos: Sequence[Path], split: str, smallest: float) -> Iterable[tuple[Path, dict[str, str]]]:
    for folder in photos:
        for row in read_rows(folder, smallest):
            if row["split"] == split:
                yield folder, row


@click.command()
@click.option("--photos", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True, required=True)
@click.option("--mediapipe", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--split", default="train", show_default=True)
@click.option("--teacher", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Weights of a first network.")
def main(photos: tuple[Path, ...], mediapipe: Path, out: Path, split: str, teacher: Path | None) -> None:
    """Labels portraits for the retouch network."""
    count = pack(photos, mediapipe, out, split=split, teacher=Teacher(teacher) if teacher else None)
    click.echo(f"{count} portraits, {out.stat().st_size / 2**20:.1f} MiB in {out}")


if __name__ == "__main__":
    main()
