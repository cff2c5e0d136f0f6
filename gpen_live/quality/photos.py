"""The faces that quality is measured on: aligned crops with room around them, each with its name and where it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.errors import GpenLiveError

Bytes = npt.NDArray[np.uint8]
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
        canvas: RGB, (size + 2 MARGIN) squared x 3; the crop on GPEN's template in its middle.
    """

    name: str
    source: str
    canvas: Bytes

    @property
    def crop(self) -> Bytes:
        """The face as the network sees it, size x size x 3."""
        return np.ascontiguousarray(self.canvas[MARGIN:-MARGIN, MARGIN:-MARGIN])

    @property
    def seed(self) -> int:
        """A number that belongs to this face's name: its noise is the same whoever else is measured."""
        return int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:6], "little")


def read_faces(photos: Path, *, size: int, split: Split = "val", most: int | None = None) -> list[Face]:
    """The faces of a folder or packed file, in crops of `size` pixels.

    Args:
        photos: a folder with `manifest.csv` and `photos/` (see `gpen_live.facedata.pack`), a file that `pack` wrote, or a plain
            folder of aligned face pictures of any size.
        split: which part of a manifest or packed file; a plain folder has none and is taken whole.
        most: take so many, evenly spread over all.

    Raises:
        GpenLiveError: nothing there, nothing usable, or a photo is missing or damaged.
    """
    if photos.is_file():
        faces = _chosen(_packed(photos, size, split), most)
    elif not photos.is_dir():
        raise GpenLiveError("quality.no_folder", path=photos)
    elif (photos / "manifest.csv").is_file():
        faces = _from_manifest(photos, size, split, most)
    else:
        paths = sorted(path for path in photos.iterdir() if path.suffix.lower() in _PICTURES)
        faces = [Face(path.stem, photos.name or "pictures", _padded(_read(path), size)) for path in _chosen(paths, most)]
    if not faces:
        raise GpenLiveError("quality.no_faces", path=photos, size=size, smallest=_ENOUGH * size)
    return faces


def aligned(image: Bytes, landmarks: npt.ArrayLike, size: int) -> Bytes:
    """The face on GPEN's template with its margin, (size + 2 MARGIN) squared x 3."""
    from gpen_live.facedata import pack

    return pack.aligned(image, landmarks, size, margin=MARGIN)


def _from_manifest(photos: Path, size: int, split: Split, most: int | None) -> list[Face]:
    from gpen_live.facedata.pack import landmarks_of, read_rows

    try:
        rows = [row for row in read_rows(photos, _ENOUGH * size) if split in ("all", row["split"])]
        faces = []
        for row in _chosen(rows, most):
            name = Path(row["file"]).stem
            canvas = aligned(_read(photos / "photos" / row["file"]), landmarks_of(row), size)
            faces.append(Face(name, name.partition("_")[0], canvas))
    except (KeyError, ValueError, UnicodeDecodeError) as error:
        raise GpenLiveError("quality.manifest", path=photos / "manifest.csv", reason=repr(error)) from error
    return faces


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


def _padded(image: Bytes, size: int) -> Bytes:
    """The middle square of an aligned picture at `size` pixels, mirrored outward for the margin."""
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    square = image[top : top + side, left : left + side]
    if side != size:
        how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
        square = np.asarray(cv2.resize(square, (size, size), interpolation=how), np.uint8)
    return np.asarray(cv2.copyMakeBorder(square, *(MARGIN,) * 4, cv2.BORDER_REFLECT_101), np.uint8)


def _chosen(items: Sequence[T], most: int | None) -> list[T]:
    """At most `most` of the items, evenly spread, in their order."""
    if most is None or most >= len(items):
        return list(items)
    return [items[int(index)] for index in np.linspace(0, len(items) - 1, most).round()]
