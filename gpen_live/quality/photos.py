"""The faces that quality is measured on: aligned crops with room around them, each with its name and where it comes from."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.errors import GpenLiveError
from gpen_live.faces.align import GPEN_TEMPLATE, similarity

Bytes = npt.NDArray[np.uint8]
HandSet = npt.NDArray[np.float64]
Split = Literal["val", "train", "all"]
T = TypeVar("T")

MARGIN = 32
"""Pixels around a crop: what comes into view when the scene moves."""
_ENOUGH = 0.9  # a photo whose own crop has fewer pixels than this share of the network's is no truth for it
_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True, slots=True)
class Face:
    """One truth.

    Args:
        name: the file's name without its ending.
        source: the collection that it comes from: what stands before the first underscore of a file of a manifest.
        canvas: RGB, (size + 2 margin) squared x 3; the crop on GPEN's template in its middle.
        margin: pixels of the canvas around the crop.
        ethnicity: as the person reported it; None where nobody asked.
        points: the 189 points that were set by hand (WebMorph's template), in pixels of the canvas; None where there are none.
    """

    name: str
    source: str
    canvas: Bytes
    margin: int = MARGIN
    ethnicity: str | None = None
    points: HandSet | None = field(default=None, compare=False)

    @property
    def crop(self) -> Bytes:
        """The face as the network sees it, size x size x 3."""
        return np.ascontiguousarray(self.canvas[self.margin : -self.margin, self.margin : -self.margin])

    @property
    def seed(self) -> int:
        """A number that belongs to this face's name: its noise is the same whoever else is measured."""
        return int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:6], "little")


def read_faces(photos: Path, *, size: int, split: Split = "val", most: int | None = None, margin: int = MARGIN) -> list[Face]:
    """The faces of a folder or packed file, in crops of `size` pixels.

    Args:
        photos: a folder with `manifest.csv` and `photos/` (see `gpen_live.facedata.pack`), a file that `pack` wrote, a folder
            with hand-set points (`points.npz`, `info.csv`, `photos/`: the Face Research Lab London Set), or a plain folder of
            aligned face pictures of any size.
        split: which part of a manifest or packed file; a plain folder has none and is taken whole.
        most: take so many, evenly spread over all.
        margin: pixels around the crops.

    Raises:
        GpenLiveError: nothing there, nothing usable, or a photo is missing or damaged.
    """
    if photos.is_file():
        faces = [_with_margin(face, margin) for face in _chosen(_packed(photos, size, split), most)]
    elif not photos.is_dir():
        raise GpenLiveError("quality.no_folder", path=photos)
    elif (photos / "manifest.csv").is_file():
        faces = _from_manifest(photos, size, split, most, margin)
    elif (photos / "points.npz").is_file():
        faces = _hand_set(photos, size, split, most, margin)
    else:
        paths = sorted(path for path in photos.iterdir() if path.suffix.lower() in _PICTURES)
        source = photos.name or "pictures"
        faces = [Face(path.stem, source, _padded(_read(path), size, margin), margin) for path in _chosen(paths, most)]
    if not faces:
        raise GpenLiveError("quality.no_faces", path=photos, size=size, smallest=_ENOUGH * size)
    return faces


def aligned(image: Bytes, landmarks: npt.ArrayLike, size: int, margin: int = MARGIN) -> Bytes:
    """The face on GPEN's template with its margin, (size + 2 margin) squared x 3."""
    from gpen_live.facedata import pack

    return pack.aligned(image, landmarks, size, margin=margin)


def _from_manifest(photos: Path, size: int, split: Split, most: int | None, margin: int) -> list[Face]:
    from gpen_live.facedata.pack import landmarks_of, read_rows

    try:
        rows = [row for row in read_rows(photos, _ENOUGH * size) if split in ("all", row["split"])]
        faces = []
        for row in _chosen(rows, most):
            name = Path(row["file"]).stem
            canvas = aligned(_read(photos / "photos" / row["file"]), landmarks_of(row), size, margin)
            faces.append(Face(name, name.partition("_")[0], canvas, margin))
    except (KeyError, ValueError, UnicodeDecodeError) as error:
        raise GpenLiveError("quality.manifest", path=photos / "manifest.csv", reason=repr(error)) from error
    return faces


_PUPILS_AND_CORNERS = [0, 1, 87, 93]  # of the 189 points; the template's nose, its tip, is none of them


def _hand_set(photos: Path, size: int, split: Split, most: int | None, margin: int) -> list[Face]:
    """The photos that have points, aligned by the pupils and the corners of the mouth."""
    template = GPEN_TEMPLATE[[0, 1, 3, 4]] * size
    try:
        with np.load(photos / "points.npz", allow_pickle=False) as data:
            marks = dict(zip(data["files"].tolist(), data["points"].astype(np.float64), strict=True))
        with (photos / "info.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["file"] in marks and split in ("all", row["split"])]
        faces = []
        for row in _chosen(rows, most):
            points = marks[row["file"]]
            matrix = similarity(points[_PUPILS_AND_CORNERS], template)
            five = (GPEN_TEMPLATE * size - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
            canvas = aligned(_read(photos / "photos" / row["file"]), five, size, margin)
            placed = points @ matrix[:, :2].T + matrix[:, 2] + margin
            faces.append(Face(Path(row["file"]).stem, photos.name, canvas, margin, row["ethnicity"], placed))
    except (KeyError, ValueError, OSError) as error:
        raise GpenLiveError("quality.manifest", path=photos / "info.csv", reason=repr(error)) from error
    return faces


def _with_margin(face: Face, margin: int) -> Face:
    """A packed face, which has MARGIN, with another one: cut, or mirrored outward."""
    more = margin - face.margin
    if more <= 0:
        cut = slice(-more, face.canvas.shape[0] + more)
        return Face(face.name, face.source, np.ascontiguousarray(face.canvas[cut, cut]), margin)
    around = np.asarray(cv2.copyMakeBorder(face.canvas, more, more, more, more, cv2.BORDER_REFLECT_101), np.uint8)
    return Face(face.name, face.source, around, margin)


def _packed(path: Path, size: int, split: Split) -> list[Face]:
    from gpen_live.facedata.pack import unpack

    try:
        faces = unpack(path)
    except Exception as error:  # numpy and zipfile have many ways of saying that a file is none of theirs
        raise GpenLiveError("quality.packed", path=path, reason=error) from error
    parts = {"train": faces.train, "val": faces.val}
    side = faces.val.shape[1]
    held = side * 4 // 5  # an eighth of the crop around it
    if size != held:
        raise GpenLiveError("quality.packed_size", path=path, held=held, size=size)
    spare = (side - size) // 2 - MARGIN
    names = list(parts) if split == "all" else [str(split)]
    return [
        Face(f"{name}-{number}", "packed", np.ascontiguousarray(canvas[spare : side - spare, spare : side - spare]))
        for name in names
        for number, canvas in enumerate(parts[name])
    ]


def _read(path: Path) -> Bytes:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise GpenLiveError("quality.face_unreadable", path=path)
    return np.ascontiguousarray(image[..., ::-1], np.uint8)


def _padded(image: Bytes, size: int, margin: int) -> Bytes:
    """The middle square of an aligned picture at `size` pixels, mirrored outward for the margin."""
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    square = image[top : top + side, left : left + side]
    if side != size:
        how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
        square = np.asarray(cv2.resize(square, (size, size), interpolation=how), np.uint8)
    return np.asarray(cv2.copyMakeBorder(square, *(margin,) * 4, cv2.BORDER_REFLECT_101), np.uint8)


def _chosen(items: Sequence[T], most: int | None) -> list[T]:
    """At most `most` of the items, evenly spread, in their order."""
    if most is None or most >= len(items):
        return list(items)
    return [items[int(index)] for index in np.linspace(0, len(items) - 1, most).round()]
