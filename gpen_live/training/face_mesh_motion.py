"""How steady the face mesh is, and how far it lags.

    python -m gpen_live.training.face_mesh_motion --photos PHOTOS [--clips FOLDER ...]

* Films made of portraits (the first in PHOTOS, a folder of pictures) at 30 frames a second: a face of 350 pixels in 1280 x 720
  that rests, moves slowly, or fast (three of its widths a second at most, turning and growing), each frame with noise of its own
  and as a JPEG. Detected, tracked, aligned and filtered as in the live path. The truth is the mean of the resting face's points,
  moved along.
* Real clips: how much points shake in the third of the frames in which the face moves least (half of the second difference in
  time).

Printed as Markdown, in pixels of a crop of 256, of the network's own points and of the filtered ones: how far a point strays from
its mean error (RMS, per axis), how many frames it lags (the share of the last frame's motion that is missing), and the mean error
of the frame that is farthest off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.faces.align import Matrix, to_template
from gpen_live.faces.detect import Detector
from gpen_live.faces.mesh import Mesh, MeshFilter
from gpen_live.faces.state import FaceStates
from gpen_live.faces.track import Tracker
from gpen_live.frame import Image
from gpen_live.inference.device import CPU
from gpen_live.inference.face_mesh import FaceMesh
from gpen_live.inference.loading import load_detector
from gpen_live.sources.video import VideoSource
from gpen_live.training.detector_bench import CLIP_ENDINGS

Floats = npt.NDArray[np.float64]

SIZE, FPS, FRAMES = 256, 30, 75
_SETTLE = 10
"""Frames until track and filter have settled."""
_HEIGHT, _WIDTH, _NOISE, _QUALITY = 720, 1280, 4.0, 85
_MOTIONS = {"rests": 0.0, "moves slowly": 0.3, "moves fast": 1.0}
"""How fast and how far: turns per second and parts of the whole way."""


@dataclass(frozen=True)
class Seen:
    """A face in a frame: when, its mesh, and the transforms from the frame to its crop and from the photo to the frame."""

    at: float
    mesh: Mesh
    crop: Matrix
    photo: Matrix


class Watcher:
    """Detects, tracks, aligns and measures the largest face of a film, as the live path does."""

    def __init__(self, find: FaceMesh, detector: Detector) -> None:
        self._find, self._detector = find, detector
        self._states = FaceStates()
        self._tracker = Tracker(self._states)

    def __call__(self, frame: Image, at: float, photo: Matrix) -> Seen | None:
        self._tracker.update(self._detector.detect(frame), at)
        if not self._states.faces:
            return None
        matrix = to_template(self._states.faces[0].landmarks, SIZE)
        crop = cv2.warpAffine(frame, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
        return Seen(at, self._find(np.asarray(crop, np.uint8)), matrix, photo)


@click.command()
@click.option("--photos", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--clips", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True)
@click.option("--people", type=click.IntRange(1), default=6, show_default=True, help="How many photos.")
def main(photos: Path, clips: tuple[Path, ...], people: int) -> None:
    """Measure how steady the mesh is and how far it lags."""
    cv2.setNumThreads(1)
    find, detector = FaceMesh.load(), load_detector(CPU)
    pictures = [np.asarray(cv2.imread(str(path)), np.uint8) for path in sorted(photos.iterdir())[:people]]
    click.echo("| a face that | points | strays, px | lags, frames | farthest frame, px |\n| --- | --- | --- | --- | --- |")
    films = {name: [list(_film(image, pace, find, detector)) for image in pictures] for name, pace in _MOTIONS.items()}
    truths = [np.mean([_in_photo(each) for each in film[_SETTLE:]], axis=0) for film in films["rests"]]
    for name, some in films.items():
        for kind, smooth in (("as found", False), ("filtered", True)):
            rows = [_errors(film, truth, smooth=smooth) for film, truth in zip(some, truths, strict=True)]
            click.echo(f"| {name} | {kind} | " + " | ".join(f"{mean:.2f}" for mean in np.mean(rows, axis=0)) + " |")
    paths = [path for folder in clips for path in sorted(folder.iterdir()) if path.suffix in CLIP_ENDINGS]
    if paths:
        click.echo("\n| clip | as found, px | filtered, px |\n| --- | --- | --- |")
    for path in paths:
        seen = list(_clip(path, find, detector))
        if len(seen) >= FPS:
            click.echo(f"| {path.stem} | {_shaking(seen, smooth=False):.2f} | {_shaking(seen, smooth=True):.2f} |")


def _film(image: Image, pace: float, find: FaceMesh, detector: Detector) -> Iterator[Seen]:
    """A portrait that is moved about; `pace`: see `_MOTIONS`."""
    random = np.random.default_rng(0)
    watch = Watcher(find, detector)
    height, width = image.shape[:2]
    for index in range(FRAMES):
        at = index / FPS
        swing = np.sin(2 * np.pi * pace * at * np.array([0.8, 1.1, 0.9, 0.7])) * pace
        middle, scale = (width / 2, height / 2), 600 / width * float(1 + 0.1 * swing[3])
        photo = np.asarray(cv2.getRotationMatrix2D(middle, float(12 * swing[2]), scale), np.float64)
        photo[:, 2] += [_WIDTH / 2 - width / 2 + 200 * swing[0], _HEIGHT / 2 - height / 2 + 60 * swing[1]]
        frame = cv2.warpAffine(image, photo, (_WIDTH, _HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        noisy = np.clip(frame + random.normal(0, _NOISE, frame.shape), 0, 255).astype(np.uint8)
        _, packed = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if (seen := watch(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8), at, photo)) is not None:
            yield seen


def _clip(path: Path, find: FaceMesh, detector: Detector) -> Iterator[Seen]:
    """The largest face of a real film, as long as it is one."""
    watch = Watcher(find, detector)
    source = VideoSource(path, realtime=False)
    try:
        while (frame := source.read()) is not None:
            seen = watch(frame, source.media_time or 0.0, np.eye(2, 3))
            if seen is not None and seen.mesh.score > 0.9:
                yield seen
    finally:
        source.close()


def _errors(film: list[Seen], truth: Floats, *, smooth: bool) -> tuple[float, float, float]:
    """How far points stray (pixels), how far they lag (frames), and the mean error of the farthest frame (pixels)."""
    places = [_moved(truth, _whole(seen.crop) @ _whole(seen.photo)) for seen in film]
    before = [_moved(truth, _whole(new.crop) @ _whole(old.photo)) for old, new in pairwise(film)]
    errors = (np.stack(_points(film, smooth=smooth)) - np.stack(places))[_SETTLE:]
    motion = (np.stack(places[1:]) - np.stack(before))[_SETTLE - 1 :]
    moving = float((motion**2).sum())
    lag = -float((motion * errors).sum()) / moving if moving else 0.0
    return float(np.sqrt(errors.var(axis=0).mean())), lag, float(np.linalg.norm(errors, axis=2).mean(axis=1).max())


def _shaking(film: list[Seen], *, smooth: bool) -> float:
    """RMS of half the second difference, per axis, in the frames in which the face moves least."""
    scales = [float(np.hypot(*seen.crop[0, :2])) for seen in film]
    points = zip(_points(film, smooth=smooth), film, scales, strict=True)
    places = np.stack([_moved(each, np.linalg.inv(_whole(seen.crop))) * scale for each, seen, scale in points])
    speed = np.linalg.norm(places[2:] - places[:-2], axis=2).mean(axis=1)
    second = (places[2:] - 2 * places[1:-1] + places[:-2])[speed <= np.percentile(speed, 33)]
    return float(np.sqrt((second**2).mean())) / 2


def _points(film: list[Seen], *, smooth: bool) -> list[Floats]:
    """In pixels of the crops: N x 478 x 2."""
    follow = MeshFilter()
    found = [follow(seen.mesh.points, seen.at) if smooth else seen.mesh.points for seen in film]
    return [np.asarray(points[:, :2], np.float64) * SIZE - 0.5 for points in found]


def _in_photo(seen: Seen) -> Floats:
    back = np.linalg.inv(_whole(seen.crop) @ _whole(seen.photo))
    return _moved(np.asarray(seen.mesh.points[:, :2], np.float64) * SIZE - 0.5, back)


def _whole(matrix: Matrix) -> Floats:
    return np.vstack([matrix, [0.0, 0.0, 1.0]])


def _moved(points: Floats, matrix: Floats) -> Floats:
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2], np.float64)


if __name__ == "__main__":
    main()
