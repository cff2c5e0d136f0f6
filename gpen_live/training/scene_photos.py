"""Photos of one face each, with the place of the face and of its landmarks, as pasted into scenes."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.errors import GpenLiveError
from gpen_live.frame import Image

PHOTO_SIDE = 320
"""Longest side of a photo in pixels."""

REGION = 3.0
"""Side of the square kept around a face, in heights of its box."""

MIRRORED = (1, 0, 2, 4, 3)
"""The order of the five landmarks in a mirrored picture."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Photo:
    """A photo cut and reduced around its face; box (x0, y0, x1, y1) and landmarks (5 x 2) in its own pixels."""

    name: str
    image: Image
    box: Floats
    landmarks: Floats


def cut_photo(name: str, image: Image, box: Floats, landmarks: Floats, side: int = PHOTO_SIDE) -> Photo:
    """Keeps a square of REGION box heights around the face, as far as the photo goes, at most `side` pixels a side."""
    height, width = image.shape[:2]
    centre, half = (box[:2] + box[2:]) / 2, REGION / 2 * (box[3] - box[1])
    x0, y0 = (int(max(0, math.floor(value))) for value in centre - half)
    x1, y1 = int(min(width, math.ceil(centre[0] + half))), int(min(height, math.ceil(centre[1] + half)))
    part = image[y0:y1, x0:x1]
    ratio = min(1.0, side / max(part.shape[:2]))
    size = (max(1, round(part.shape[1] * ratio)), max(1, round(part.shape[0] * ratio)))
    scale = np.array([size[0] / part.shape[1], size[1] / part.shape[0]])
    if ratio < 1:
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    origin = np.array([x0, y0])
    moved_box = ((box.reshape(2, 2) - origin + 0.5) * scale - 0.5).reshape(4)
    return Photo(name, np.ascontiguousarray(part), moved_box, (landmarks - origin + 0.5) * scale - 0.5)


def read_photos(folder: Path, split: str, side: int = PHOTO_SIDE) -> list[Photo]:
    """Reads the photos of one split ("train" or "val") from `folder`/manifest.csv and `folder`/photos, cut to `side` pixels.

    Raises:
        GpenLiveError: the manifest or a photo can't be read, or the split is empty.
    """
    photos = [cut_photo(*entry, side) for entry in _manifest(folder, split)]
    if not photos:
        raise GpenLiveError("training.no_photos", path=folder / "manifest.csv", split=split)
    return photos


LANDMARK_COLUMNS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


def _manifest(folder: Path, split: str) -> list[tuple[str, Image, Floats, Floats]]:
    path = folder / "manifest.csv"
    if not path.is_file():
        raise GpenLiveError("training.no_manifest", folder=folder)
    entries = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] != split:
                continue
            box = np.array([float(row[f"box_{side}"]) for side in ("x0", "y0", "x1", "y1")])
            landmarks = np.array([[float(row[f"{point}_{axis}"]) for axis in "xy"] for point in LANDMARK_COLUMNS])
            entries.append((row["file"], read_image(folder / "photos" / row["file"]), box, landmarks))
    return entries


def read_image(path: Path) -> Image:
    """A picture file as H x W x 3 BGR bytes.

    Raises:
        GpenLiveError: it is missing or no picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise GpenLiveError("training.picture", path=path)
    return np.asarray(image, dtype=np.uint8)
