"""Copies photos and backgrounds small enough to carry to another machine: `python -m gpen_live.training.detector_pack`.

The copies have the layout that `gpen_live.training.detector` reads. Backgrounds of scikit-image without people join those of
SCENES.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np

from gpen_live.errors import GpenLiveError
from gpen_live.frame import Image
from gpen_live.training.scenes import LANDMARK_COLUMNS, WITH_PEOPLE, read_image, read_photos, reduce_scene

SKIMAGE_SCENES = ("brick", "cell", "chelsea", "clock", "coffee", "coins", "grass", "gravel", "moon", "page", "rocket", "text")
"""Pictures that ship inside scikit-image's package; none shows a person."""

QUALITY = 80


def pack_photos(photos: Path, out: Path, quality: int = QUALITY) -> int:
    """Writes the cut photos as JPEG of `quality` 1..100 and their manifest; returns how many."""
    (out / "photos").mkdir(parents=True, exist_ok=True)
    columns = ["file", "split", "box_x0", "box_y0", "box_x1", "box_y1"]
    columns += [f"{point}_{axis}" for point in LANDMARK_COLUMNS for axis in "xy"]
    count = 0
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for split in ("train", "val"):
            for photo in read_photos(photos, split):
                _write(out / "photos" / photo.name, photo.image, quality)
                numbers = [f"{value:.2f}" for value in (*photo.box, *photo.landmarks.flatten())]
                writer.writerow([photo.name, split, *numbers])
                count += 1
    return count


def pack_scenes(scenes: Path, out: Path, quality: int = QUALITY) -> int:
    """Writes reduced backgrounds, those with people left out, and scikit-image's, as `pack_photos` does; returns how many."""
    out.mkdir(parents=True, exist_ok=True)
    pictures = {path.stem: read_image(path) for path in sorted(scenes.glob("*.jpg")) if path.stem not in WITH_PEOPLE}
    pictures |= {f"skimage_{name}": _skimage_scene(name) for name in SKIMAGE_SCENES}
    for name, picture in pictures.items():
        _write(out / f"{name}.jpg", reduce_scene(picture), quality)
    return len(pictures)


def _skimage_scene(name: str) -> Image:
    from skimage import data

    picture = np.asarray(getattr(data, name)())
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    return np.ascontiguousarray(picture[..., 2::-1])


def _write(path: Path, image: Image, quality: int) -> None:
    if not cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, quality]):
        raise GpenLiveError(f"{path} can't be written.", "Is the disk full?")


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m gpen_live.training.detector_pack", description="Packs training pictures.")
    parser.add_argument("--photos", type=Path, required=True, help="folder with manifest.csv and photos/")
    parser.add_argument("--scenes", type=Path, required=True, help="folder of backgrounds")
    parser.add_argument("--out", type=Path, required=True, help="gets photos/ and scenes/")
    parser.add_argument("--quality", type=int, default=QUALITY, help="of the JPEG copies, 1 to 100")
    options = parser.parse_args()
    try:
        photos = pack_photos(options.photos, options.out / "photos", options.quality)
        scenes = pack_scenes(options.scenes, options.out / "scenes", options.quality)
    except GpenLiveError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{photos} photos and {scenes} backgrounds in {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
