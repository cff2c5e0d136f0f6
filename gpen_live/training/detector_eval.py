"""Measures face detectors side by side: `python -m gpen_live.training.detector_eval --photos PHOTOS --scenes SCENES WEIGHTS ...`.

Each of WEIGHTS is our safetensors or facexlib's .pth. Three measurements:

* scenes: people and backgrounds never trained on, composed and photographed as in training; recall, precision, landmark error;
* still: faces that do not move in 1280 x 720 frames with sensor noise; how far each landmark wanders (standard deviation);
* clips (`--clips FOLDER`): real films; how often there are how many faces, how far landmarks lie from a reference detector that
  sees twice the resolution, and how much they shake (half the median second difference in time, small for slow motion).

Landmark figures are percentages of the distance between the eyes.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from gpen_live.errors import GpenLiveError
from gpen_live.faces.detect import Detection, Detector, Floats
from gpen_live.frame import Image
from gpen_live.training.detector import load_network_file
from gpen_live.training.detector_camera import draw_cameras, photograph
from gpen_live.training.detector_score import Score, Truth, landmark_error, score, truths_of
from gpen_live.training.scenes import Bank, FaceBank, SceneMaker, read_photos, read_scenes

log = logging.getLogger("detector_eval")

Find = Callable[[Image, float], list[Detection]]
"""Finds faces in a frame with at least that score."""

CLIP_ENDINGS = {".mp4", ".mov", ".gif", ".avi", ".mkv"}


def load(path: Path, long_side: int, *, vote: bool = True, dtype: torch.dtype = torch.float32) -> Find:
    """A detector from our safetensors or facexlib's .pth."""
    device = torch.device("cpu")
    detector = Detector(load_network_file(path, device), device, dtype, long_side=long_side, vote=vote)
    return lambda image, threshold: detector.detect(image, max_faces=16, threshold=threshold)


@dataclass(frozen=True)
class Pictures:
    """Frames and what is on them."""

    frames: list[Image]
    truths: list[Truth]


def scene_pictures(maker: SceneMaker, count: int, height: int = 180, width: int = 320) -> Pictures:
    """Validation scenes as a reduced webcam frame."""
    frames: list[Image] = []
    truths: list[Truth] = []
    while len(frames) < count:
        scenes = maker.render(maker.plan(16, height, width))
        images = photograph(scenes.images, draw_cameras(16, maker.random, severity=0.7), maker.random)
        frames += list(images.byte().permute(0, 2, 3, 1).contiguous().numpy())
        truths += truths_of(scenes)
    return Pictures(frames, truths)


def measure_scenes(find: Find, pictures: Pictures, threshold: float) -> Score:
    """Recall, precision, landmark error."""
    return score([find(frame, threshold) for frame in pictures.frames], pictures.truths)


def still_films(maker: SceneMaker, count: int, draws: int, noise: float = 6.0) -> Iterator[tuple[list[Image], Truth]]:
    """Films of `draws` frames of 1280 x 720 in which only the noise changes, with one face of a fifth of the height or more."""
    random = np.random.default_rng(0)
    made = 0
    while made < count:
        scenes = maker.render(maker.plan(2, 720, 1280))
        for image, truth in zip(scenes.images, truths_of(scenes), strict=True):
            if made == count or len(truth.boxes) != 1 or not 144 <= truth.boxes[0, 3] - truth.boxes[0, 1] <= 540:
                continue
            picture = cv2.GaussianBlur(image.permute(1, 2, 0).contiguous().numpy(), (0, 0), 1.2)
            grain = [random.normal(0, noise, picture.shape) for _ in range(draws)]
            yield [np.clip(np.rint(picture + g), 0, 255).astype(np.uint8) for g in grain], truth
            made += 1


def measure_still(find: Find, films: list[tuple[list[Image], Truth]], threshold: float) -> dict[str, float]:
    """The share of frames with the face found, its landmarks' wander and error (percent of the distance between the eyes)."""
    wander, errors, seen, total = [], [], 0, 0
    for frames, truth in films:
        eyes = float(np.linalg.norm(truth.landmarks[0, 1] - truth.landmarks[0, 0]))
        tracks = []
        for frame in frames:
            faces = [f for f in find(frame, threshold) if landmark_error(f.landmarks, truth.landmarks[0]) < 0.5]
            tracks += [max(faces, key=lambda face: face.score).landmarks] if faces else []
        seen, total = seen + len(tracks), total + len(frames)
        if len(tracks) > 1:
            wander.append(float(np.std(tracks, axis=0).mean()) / eyes)
            errors.append(landmark_error(np.mean(tracks, axis=0), truth.landmarks[0]))
    return {"found": seen / total, "wander %": 100 * float(np.mean(wander)), "error %": 100 * float(np.mean(errors))}


def clip_frames(path: Path, every: int = 1, most: int = 400) -> list[Image]:
    """Frames of a film, each `every`-th, at most `most`.

    Raises:
        GpenLiveError: there are none.
    """
    capture = cv2.VideoCapture(str(path))
    frames: list[Image] = []
    number = 0
    while len(frames) < most:
        there, frame = capture.read()
        if not there:
            break
        if number % every == 0:
            frames.append(np.asarray(frame, dtype=np.uint8))
        number += 1
    if not frames:
        raise GpenLiveError(f"{path} can't be read as a film.")
    return frames


def measure_clip(find: Find, reference: Find, frames: list[Image], threshold: float) -> dict[str, object]:
    """Faces per frame, the first face's landmarks against the reference's, and their shake."""
    counts: Counter[int] = Counter()
    errors: list[float] = []
    tracks: list[Floats | None] = []
    for frame in frames:
        faces, known = find(frame, threshold), reference(frame, 0.6)
        counts[len(faces)] += 1
        errors += [min(landmark_error(face.landmarks, known[0].landmarks) for face in faces)] if faces and known else []
        tracks.append(faces[0].landmarks if len(faces) == 1 else None)
    shake = []
    for before, now, after in zip(tracks, tracks[1:], tracks[2:], strict=False):
        if before is not None and now is not None and after is not None:
            bend = np.linalg.norm(before + after - 2 * now, axis=1).mean() / 2
            shake.append(float(bend) / max(1.0, float(np.linalg.norm(now[1] - now[0]))))
    return {
        "faces": dict(sorted(counts.items())),
        "error %": 100 * float(np.median(errors)) if errors else float("nan"),
        "shake %": 100 * float(np.median(shake)) if shake else float("nan"),
    }


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m gpen_live.training.detector_eval", description="Measures face detectors.")
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--clips", type=Path, help="folder of films")
    parser.add_argument(
        "--reference", type=Path, help="weights of the reference detector for clips; the first of WEIGHTS otherwise"
    )
    parser.add_argument("--count", type=int, default=256, help="validation scenes")
    parser.add_argument("--films", type=int, default=10, help="still films")
    parser.add_argument("--long-side", type=int, default=320)
    parser.add_argument("--threshold", type=float, nargs="+", default=[0.3, 0.5, 0.6, 0.7, 0.8])
    parser.add_argument("--every", type=int, default=1, help="take each so many frames of a film")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        evaluate(options)
    except GpenLiveError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def evaluate(options: argparse.Namespace) -> None:
    """Measures and logs everything that the command line asks for."""
    device = torch.device("cpu")
    backdrops = Bank(read_scenes(options.scenes, "val"), 512, device)
    maker = SceneMaker(FaceBank(read_photos(options.photos, "val"), device), backdrops, 99)
    pictures = scene_pictures(maker, options.count)
    films = list(still_films(maker, options.films, 8))
    films_of = (
        {p: clip_frames(p, options.every) for p in sorted(options.clips.iterdir()) if p.suffix in CLIP_ENDINGS}
        if options.clips
        else {}
    )
    reference = load(options.reference or options.weights[0], 2 * options.long_side)
    middle = options.threshold[len(options.threshold) // 2]
    for path in options.weights:
        for vote in (False, True):
            find = load(path, options.long_side, vote=vote)
            log.info("%s%s", path.name, "" if vote else ", best candidate alone")
            for threshold in options.threshold:
                result = measure_scenes(find, pictures, threshold)
                log.info(
                    "  scenes at %.2f: recall %.1f %%, precision %.1f %%, error %.1f %%, 95th percentile %.1f %%",
                    *(threshold, 100 * result.recall, 100 * result.precision, 100 * result.mean_error, 100 * result.bad_error),
                )
            log.info("  still: %s", measure_still(find, films, middle))
            for clip, frames in films_of.items():
                log.info("  %s: %s", clip.name, measure_clip(find, reference, frames, middle))


if __name__ == "__main__":
    sys.exit(main())
