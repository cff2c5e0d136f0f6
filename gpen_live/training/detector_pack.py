"""Copies photos and backgrounds small enough to carry to another machine: `python -m gpen_live.training.detector_pack`.

The copies have the layout that `gpen_live.training.detector` reads. Backgrounds of scikit-image without people join those of
SCENES. With `--consensus WEIGHTS`, landmarks are found anew by those weights: see `consensus`.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

from gpen_live.errors import GpenLiveError
from gpen_live.faces.detect import Detector, Floats
from gpen_live.frame import Image
from gpen_live.inference.device import CPU
from gpen_live.inference.torch_detector import TorchDetector
from gpen_live.training.detector import load_network_file
from gpen_live.training.detector_score import landmark_error
from gpen_live.training.facexlib_network import as_network
from gpen_live.training.scene_backgrounds import WITH_PEOPLE, reduce_scene
from gpen_live.training.scene_photos import LANDMARK_COLUMNS, MIRRORED, PHOTO_SIDE, Photo, read_image, read_photos

SKIMAGE_SCENES = ("brick", "cell", "chelsea", "clock", "coffee", "coins", "grass", "gravel", "moon", "page", "rocket", "text")
"""Pictures that ship inside scikit-image's package; none shows a person."""

QUALITY = 80

CONSENSUS_SIDES = (288, 384, 528)
"""Sizes at which a photo's face is looked for, in pixels; it takes about a third of them."""


def pack_photos(photos: Path, out: Path, quality: int = QUALITY, detector: Detector | None = None) -> int:
    """Writes the cut photos as JPEG of `quality` 1..100 and their manifest; returns how many.

    With a `detector`, landmarks are its consensus where there is one.
    """
    (out / "photos").mkdir(parents=True, exist_ok=True)
    columns = ["file", "split", "box_x0", "box_y0", "box_x1", "box_y1"]
    columns += [f"{point}_{axis}" for point in LANDMARK_COLUMNS for axis in "xy"]
    count = 0
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for split in ("train", "val"):
            for large in read_photos(photos, split, CONSENSUS_SIDES[-1] if detector is not None else PHOTO_SIDE):
                photo = large
                if detector is not None:
                    agreed = consensus(detector, large)
                    photo = shrink(large, large.landmarks if agreed is None else agreed)
                _write(out / "photos" / photo.name, photo.image, quality)
                numbers = [f"{value:.2f}" for value in (*photo.box, *photo.landmarks.flatten())]
                writer.writerow([photo.name, split, *numbers])
                count += 1
    return count


def consensus(detector: Detector, photo: Photo) -> Floats | None:
    """Landmarks (5 x 2, pixels of the photo): the mean of those found at CONSENSUS_SIDES, mirrored and not.

    One look at a photo misses its landmarks by 3 % of the distance between the eyes or more, and differently at every size; the
    mean of several is what steady training can rely on. None if the face is found in fewer than half of the looks.
    """
    width = photo.image.shape[1]
    mirrored = np.ascontiguousarray(photo.image[:, ::-1])
    found: list[Floats] = []
    for side in CONSENSUS_SIDES:
        detector.long_side = side
        looks = [face.landmarks for face in detector.detect(photo.image)]
        turned = [face.landmarks for face in detector.detect(mirrored)]
        turned = [points[list(MIRRORED)] * np.array([-1.0, 1.0]) + np.array([width - 1.0, 0.0]) for points in turned]
        for points in (looks, turned):
            nearest = min(points, key=lambda one: landmark_error(one, photo.landmarks), default=None)
            if nearest is not None and landmark_error(nearest, photo.landmarks) < 0.3:
                found.append(nearest)
    return np.mean(found, axis=0) if len(found) >= len(CONSENSUS_SIDES) else None


def shrink(photo: Photo, landmarks: Floats) -> Photo:
    """A photo at most PHOTO_SIDE pixels a side, with landmarks (in the larger one's pixels) put in the place of its own."""
    height, width = photo.image.shape[:2]
    ratio = min(1.0, PHOTO_SIDE / max(height, width))
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    scale = np.array([size[0] / width, size[1] / height])
    image = photo.image if ratio == 1 else np.asarray(cv2.resize(photo.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    box = ((photo.box.reshape(2, 2) + 0.5) * scale - 0.5).reshape(4)
    return Photo(photo.name, image, box, (landmarks + 0.5) * scale - 0.5)


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
        raise GpenLiveError("training.unwritable", path=path)


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m gpen_live.training.detector_pack", description="Packs training pictures.")
    parser.add_argument("--photos", type=Path, required=True, help="folder with manifest.csv and photos/")
    parser.add_argument("--scenes", type=Path, required=True, help="folder of backgrounds")
    parser.add_argument("--out", type=Path, required=True, help="gets photos/ and scenes/")
    parser.add_argument(
        "--consensus", type=Path, metavar="WEIGHTS", help="find landmarks anew, several times, with these weights"
    )
    parser.add_argument("--quality", type=int, default=QUALITY, help="of the JPEG copies, 1 to 100")
    options = parser.parse_args()
    try:
        detector = None
        if options.consensus is not None:
            detector = TorchDetector(as_network(load_network_file(options.consensus, torch.device("cpu"))), CPU, vote=False)
        photos = pack_photos(options.photos, options.out / "photos", options.quality, detector)
        scenes = pack_scenes(options.scenes, options.out / "scenes", options.quality)
    except GpenLiveError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{photos} photos and {scenes} backgrounds in {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
