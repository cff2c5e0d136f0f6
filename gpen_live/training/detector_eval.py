"""Measures face detectors side by side: `python -m gpen_live.training.detector_eval OURS UPSTREAM --photos P --scenes S`.

OURS is our safetensors, UPSTREAM facexlib's .pth; `--yunet` adds a third. All see a frame reduced to `--long-side` pixels.

* scenes: people and backgrounds never trained on, composed and photographed as in training; recall, precision, landmark error;
* still: faces that do not move in 1280 x 720 frames with sensor noise; how far each landmark wanders (standard deviation);
* clips (`--clips FOLDER`): real films; how often the number of faces is the known one, and how much landmarks shake (half the
  median second difference in time, small for slow motion);
* time: median CPU time over 64 of the scenes' frames, detectors taking turns, on one thread;
* smaller inputs, for our detector alone.

Prints Markdown tables, and writes them to a file with `--markdown FILE`. Landmark figures are percentages of the distance between
the eyes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from gpen_live.errors import GpenLiveError
from gpen_live.faces.detect import DEFAULT_THRESHOLD, Detection, Floats
from gpen_live.faces.track import SURE
from gpen_live.frame import Image
from gpen_live.inference.device import CPU
from gpen_live.inference.torch_detector import TorchDetector
from gpen_live.training import detector_report as report
from gpen_live.training.detector import load_network_file
from gpen_live.training.detector_bench import (
    CLIP_ENDINGS,
    KNOWN_FACES,
    Pictures,
    clip_frames,
    scene_pictures,
    still_films,
)
from gpen_live.training.detector_score import Truth, eye_distance, landmark_error
from gpen_live.training.detector_sweep import sweep
from gpen_live.training.facexlib_network import as_network
from gpen_live.training.scene_backgrounds import SCENE_SIDE, read_scenes
from gpen_live.training.scene_banks import Bank, FaceBank
from gpen_live.training.scene_photos import read_photos
from gpen_live.training.scenes import SceneMaker
from gpen_live.training.yunet import YuNet

Find = Callable[[Image, float], list[Detection]]
"""Finds faces in a frame with at least that score."""

SHARED = 0.6
"""The score from which landmarks are compared, of every detector."""

LOWEST = 0.02
"""The score from which detections are kept to trace recall and precision."""

STUDIED_SIDES = (320, 288, 256, 224)


@dataclass(frozen=True)
class Contender:
    """A detector: its name in the tables, and the scores that are customary for it, the lowest first."""

    name: str
    find: Find
    customary: tuple[float, ...]


def load(path: Path, long_side: int, *, vote: bool = True, dtype: torch.dtype = torch.float32) -> Find:
    """A detector from our safetensors or facexlib's .pth."""
    network = load_network_file(path, torch.device("cpu"))
    detector = TorchDetector(as_network(network), CPU, dtype, long_side=long_side, vote=vote)
    return lambda image, threshold: detector.detect(image, max_faces=16, threshold=threshold)


def contenders(ours: Path, upstream: Path, yunet: Path | None, long_side: int) -> list[Contender]:
    """Each detector as it is used: ours averages over candidates, upstream's takes the best one."""
    found = [
        Contender("ours", load(ours, long_side), (DEFAULT_THRESHOLD, SURE)),
        Contender("upstream", load(upstream, long_side, vote=False), (0.9, 0.97)),
    ]
    return found if yunet is None else [*found, Contender("YuNet", YuNet(yunet, long_side=long_side).detect, (0.6, 0.9))]


def measure_scenes(contender: Contender, pictures: Pictures) -> report.SceneResult:
    """All detections of one detector on the scenes, and its landmarks from the shared score."""
    height = pictures.frames[0].shape[0]
    swept = sweep([contender.find(frame, LOWEST) for frame in pictures.frames], pictures.truths, height)
    used = sweep([contender.find(frame, SHARED) for frame in pictures.frames], pictures.truths, height)
    return report.SceneResult(contender.name, contender.customary, swept, used)


def measure_still(find: Find, films: list[tuple[list[Image], Truth]], threshold: float = 0.5) -> report.StillResult:
    """The share of frames with the face found, its landmarks' wander and error."""
    wander, errors, seen, total = [], [], 0, 0
    for frames, truth in films:
        tracks = []
        for frame in frames:
            faces = [f for f in find(frame, threshold) if landmark_error(f.landmarks, truth.landmarks[0]) < 0.5]
            tracks += [max(faces, key=lambda face: face.score).landmarks] if faces else []
        seen, total = seen + len(tracks), total + len(frames)
        if len(tracks) > 1:
            wander.append(float(np.std(tracks, axis=0).mean()) / eye_distance(truth.landmarks[0]))
            errors.append(landmark_error(np.mean(tracks, axis=0), truth.landmarks[0]))
    mean = [float(np.mean(values)) if values else float("nan") for values in (wander, errors)]
    return report.StillResult(seen / max(1, total), *mean)


def measure_clip(contender: Contender, name: str, frames: list[Image]) -> report.ClipResult:
    """Faces per frame at each customary score, and how much the landmarks of a face that is alone shake."""
    found = [contender.find(frame, contender.customary[0]) for frame in frames]
    counts = [[sum(face.score >= threshold for face in faces) for faces in found] for threshold in contender.customary]
    tracks: list[Floats | None] = [faces[0].landmarks if len(faces) == 1 else None for faces in found]
    shake = []
    for before, now, after in zip(tracks, tracks[1:], tracks[2:], strict=False):
        if before is not None and now is not None and after is not None:
            bend = np.linalg.norm(before + after - 2 * now, axis=1).mean() / 2
            shake.append(float(bend) / eye_distance(now))
    rest = float(np.median(shake)) if shake else float("nan")
    return report.ClipResult(name, contender.name, KNOWN_FACES.get(name), contender.customary, counts, rest)


def measure_times(found: dict[str, Find], frames: list[Image]) -> dict[str, float]:
    """Median milliseconds of this thread's CPU time for a frame; the detectors take turns, so that all meet the same machine."""
    spent: dict[str, list[float]] = {name: [] for name in found}
    for frame in frames:
        for name, find in found.items():
            start = time.thread_time()
            find(frame, DEFAULT_THRESHOLD)
            spent[name].append(1000 * (time.thread_time() - start))
    return {name: float(np.median(values)) for name, values in spent.items()}


def make_maker(photos: Path, scenes: Path, seed: int) -> SceneMaker:
    """Scenes of people and backgrounds kept for validation."""
    device = torch.device("cpu")
    backdrops = Bank(read_scenes(scenes, "val"), SCENE_SIDE, device)
    return SceneMaker(FaceBank(read_photos(photos, "val"), device), backdrops, seed)


def evaluate(options: argparse.Namespace) -> str:
    """Measures everything that the command line asks for; returns the tables."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    side = options.long_side
    rivals = contenders(options.ours, options.upstream, options.yunet, side)
    pictures = scene_pictures(make_maker(options.photos, options.scenes, 99), options.count)
    results = [measure_scenes(rival, pictures) for rival in rivals]
    parts = [
        report.scene_table(results, pictures),
        report.landmark_table(results, pictures),
        report.condition_table(results, pictures),
    ]
    if options.clips is not None:
        clips = []
        for path in sorted(path for path in options.clips.iterdir() if path.suffix in CLIP_ENDINGS):
            frames = clip_frames(path, options.every)
            clips += [measure_clip(rival, path.stem, frames) for rival in rivals]
        parts.append(report.clip_table(clips))
    films = list(still_films(make_maker(options.photos, options.scenes, 98), options.films, 8))
    ways = {
        "ours": rivals[0].find,
        "ours, best candidate alone": load(options.ours, side, vote=False),
        "upstream": rivals[1].find,
        "upstream with our averaging": load(options.upstream, side),
        **{rival.name: rival.find for rival in rivals[2:]},
    }
    times = measure_times(ways, pictures.frames[:64])
    parts.append(report.still_table({name: measure_still(find, films) for name, find in ways.items()}, times))
    if options.study:
        large = scene_pictures(make_maker(options.photos, options.scenes, 97), options.study, 360, 640)
        sizes = {str(size): Contender(str(size), load(options.ours, size), rivals[0].customary) for size in STUDIED_SIDES}
        studied = [measure_scenes(size, large) for size in sizes.values()]
        still = {name: measure_still(size.find, films) for name, size in sizes.items()}
        times = measure_times({name: size.find for name, size in sizes.items()}, large.frames[:64])
        parts.append(report.study_table(studied, large, still, times))
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m gpen_live.training.detector_eval", description="Measures face detectors.")
    parser.add_argument("ours", type=Path, help="our weights")
    parser.add_argument("upstream", type=Path, help="facexlib's weights")
    parser.add_argument("--yunet", type=Path, help="YuNet's ONNX file, run by OpenVINO")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--clips", type=Path, help="folder of films")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    parser.add_argument("--count", type=int, default=512, help="validation scenes")
    parser.add_argument("--films", type=int, default=24, help="still films")
    parser.add_argument("--study", type=int, default=192, help="larger scenes for the study of smaller inputs; 0 leaves it out")
    parser.add_argument("--long-side", type=int, default=320, help="pixels to which frames are reduced")
    parser.add_argument("--every", type=int, default=4, help="take each so many frames of a film")
    options = parser.parse_args()
    try:
        tables = evaluate(options)
        if options.markdown is not None:
            options.markdown.write_text(tables, encoding="utf-8")
    except (GpenLiveError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code if isinstance(error, GpenLiveError) else 1
    sys.stdout.write(tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
