"""Packs aligned face crops and a bank of blur kernels into one file that travels easily to the machine that trains.

    python -m gpen_live.facedata.pack --photos PHOTOS --out faces.npz

PHOTOS is a folder with `manifest.csv` (columns file, split, gpen_crop_px and the five landmarks) and `photos/`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.facedata.blur import blur_kernels
from gpen_live.faces.align import to_template

SIZE = 256
"""Side of the network's crop in pixels, unless another is asked for."""


def margin_of(size: int) -> int:
    """Pixels around a crop of `size` in a packed picture: room for jitter, shifts and blur."""
    return size // 8


MARGIN = margin_of(SIZE)
PACKED = SIZE + 2 * MARGIN
_LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Faces:
    """Aligned faces: RGB, N x P x P x 3, the crop of P / 1.25 in the middle; and the bank of blur kernels, K x k x k."""

    train: Bytes
    val: Bytes
    kernels: npt.NDArray[np.float32]

    @property
    def size(self) -> int:
        """Side of the network's crop in pixels."""
        return self.train.shape[1] * 4 // 5


def aligned(image: Bytes, landmarks: npt.ArrayLike, size: int = SIZE, *, margin: int | None = None) -> Bytes:
    """The face on GPEN's template at `size` with a margin, (size + 2 margin) squared x 3; averages over areas where it shrinks.

    The margin is `margin_of(size)` if None.
    """
    matrix = to_template(landmarks, size)
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    # warpAffine has no area filter: shrink by a whole picture's resize first, so that the warp itself is near 1:1.
    if scale < 0.9:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        shrunk = np.asarray(landmarks, np.float64) * scale + (scale - 1) / 2  # pixel centres at whole coordinates
        matrix = to_template(shrunk, size)
    margin = margin_of(size) if margin is None else margin
    matrix[:, 2] += margin
    side = size + 2 * margin
    crop = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(crop, np.uint8)


def read_rows(photos: Path, smallest: float) -> list[dict[str, str]]:
    """The manifest's rows whose crop has at least `smallest` pixels in the photo."""
    with (photos / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if float(row["gpen_crop_px"]) >= smallest]


def landmarks_of(row: dict[str, str]) -> npt.NDArray[np.float64]:
    """The five landmarks of a manifest row, 5 x 2 in pixels."""
    return np.array([[float(row[f"{name}_{axis}"]) for axis in "xy"] for name in _LANDMARKS])


def pack(
    photos: Path, out: Path, *, size: int = SIZE, smallest: float | None = None, quality: int = 92, kernels: int = 2048
) -> int:
    """Writes the faces of a folder of photos to one `.npz` (WebP-coded crops); returns how many.

    Faces whose crop has fewer than `smallest` pixels in the photo (nine tenths of `size` if None) are left out.

    Raises:
        FileNotFoundError: the folder lacks the manifest or a photo.
    """
    coded: list[Bytes] = []
    val: list[bool] = []
    for row in read_rows(photos, 0.9 * size if smallest is None else smallest):
        path = photos / "photos" / row["file"]
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise FileNotFoundError(f"{path} is missing or is no picture")
        crop = aligned(np.asarray(image, np.uint8), landmarks_of(row), size)
        coded.append(cv2.imencode(".webp", crop, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].ravel())
        val.append(row["split"] == "val")
    ends = np.cumsum([len(c) for c in coded])
    np.savez(out, pictures=np.concatenate(coded), ends=ends, val=np.array(val), kernels=blur_kernels(kernels).astype(np.float16))
    return len(coded)


def unpack(path: Path) -> Faces:
    """Reads what `pack` wrote."""
    with np.load(path, allow_pickle=False) as data:
        pictures, ends, val = data["pictures"], data["ends"], data["val"]
        kernels = data["kernels"].astype(np.float32)
    faces = np.stack([cv2.imdecode(c, cv2.IMREAD_COLOR)[..., ::-1] for c in np.split(pictures, ends[:-1])])
    return Faces(faces[~val], faces[val], kernels / kernels.sum((1, 2), keepdims=True))


@click.command()
@click.option("--photos", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--size", default=SIZE, show_default=True, help="Side of the network's crop in pixels.")
@click.option("--smallest", type=float, help="Least pixels of a face's crop in the photo; by default 0.9 of the size.")
@click.option("--quality", default=92, show_default=True, help="WebP quality of the crops.")
def main(photos: Path, out: Path, size: int, smallest: float | None, quality: int) -> None:
    """Packs aligned face crops for training."""
    count = pack(photos, out, size=size, smallest=smallest, quality=quality)
    click.echo(f"{count} faces, {out.stat().st_size / 2**20:.1f} MiB in {out}")


if __name__ == "__main__":
    main()
