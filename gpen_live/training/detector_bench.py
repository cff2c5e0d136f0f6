"""What face detectors are measured on: scenes whose faces are known and sorted by condition, still films, and real clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from gpen_live.errors import GpenLiveError
from gpen_live.faces.detect import Floats
from gpen_live.frame import Image
from gpen_live.training.detector_camera import draw_cameras, photograph
from gpen_live.training.detector_score import Truth, truths_of
from gpen_live.training.detector_sweep import Booleans
from gpen_live.training.scenes import SceneMaker

WEBCAM_HEIGHTS = (0.2, 0.9)
WEBCAM_ROLL = 20.0
"""Webcam range: the face's box has 20 % to 90 % of the frame's height and the eyes lie within 20 degrees of level."""

DARK_GAIN = 0.57
NOISY = 4.0
HIDDEN = 0.9
"""Low light: exposure below this gain; noise: a standard deviation above so many levels; hidden: less than this share is seen."""

CLIP_ENDINGS = {".mp4", ".mov", ".gif", ".avi", ".mkv"}
KNOWN_FACES = {"london_ccby_single_001": 1, "london_ccby_two_010_022": 2, "no_face": 0}
"""Clips by name of which every frame holds so many faces."""


@dataclass(frozen=True)
class Pictures:
    """Frames, what is on them, and what each of their faces is like.

    For N faces, first picture first: `heights` of their boxes in shares of the frame's, `roll` in degrees, `visible` share,
    whether the picture is `dark` or `noisy`, and how many faces are on it `together`.
    """

    frames: list[Image]
    truths: list[Truth]
    heights: Floats
    roll: Floats
    visible: Floats
    dark: Booleans
    noisy: Booleans
    together: Floats

    @property
    def empty(self) -> Booleans:
        """Which pictures have no face, not even a hidden one."""
        return np.array([not len(truth.boxes) and not len(truth.doubtful) for truth in self.truths], dtype=np.bool_)

    @property
    def webcam(self) -> Booleans:
        """Which faces are in webcam range."""
        return np.asarray(self._tall(*WEBCAM_HEIGHTS) & (np.abs(self.roll) <= WEBCAM_ROLL), dtype=np.bool_)

    def conditions(self) -> dict[str, Booleans]:
        """Which faces are of which kind; the kinds overlap."""
        low, high = WEBCAM_HEIGHTS
        steps, turns = (0.06, 0.1, 0.15, low, 0.4, 0.6, high), (0, 10, 20, 30, 45)
        kinds = {
            f"height {a:.0%} to {b:.0%}".replace("%", " %"): self._tall(a, b) for a, b in zip(steps, steps[1:], strict=False)
        }
        for a, b in zip(turns, turns[1:], strict=False):
            kinds[f"roll {a} to {b} degrees"] = self._tall(low, high) & (np.abs(self.roll) >= a) & (np.abs(self.roll) < b)
        kinds["partly hidden or cut off"] = self.webcam & (self.visible < HIDDEN)
        kinds["low light"] = self.webcam & self.dark
        kinds["noise"] = self.webcam & self.noisy
        kinds["two to four faces"] = self.webcam & (self.together > 1)
        return kinds

    def _tall(self, low: float, high: float) -> Booleans:
        return np.asarray((self.heights >= low) & (self.heights < high), dtype=np.bool_)


def scene_pictures(maker: SceneMaker, count: int, height: int = 180, width: int = 320) -> Pictures:
    """At least `count` scenes as a webcam's driver delivers them, `height` x `width` pixels."""
    frames: list[Image] = []
    truths: list[Truth] = []
    faces: list[Floats] = []
    batch = min(8, count)
    while len(frames) < count:
        scenes = maker.render(maker.plan(batch, height, width))
        cameras = draw_cameras(batch, maker.random, severity=0.7)
        frames += list(photograph(scenes.images, cameras, maker.random).byte().permute(0, 2, 3, 1).contiguous().numpy())
        drawn = truths_of(scenes)
        truths += drawn
        dark = (cameras.gain.log().mean(dim=(1, 2, 3)).exp() < DARK_GAIN).tolist()
        noisy = (cameras.noise.flatten() > NOISY).tolist()
        for row, truth in enumerate(drawn):
            visible = scenes.visible[row][scenes.labelled[row]].double().numpy()
            eyes = truth.landmarks[:, 1] - truth.landmarks[:, 0]
            columns = [
                (truth.boxes[:, 3] - truth.boxes[:, 1]) / height,
                np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0])),
                visible,
                *(np.full(len(visible), value) for value in (dark[row], noisy[row], len(visible))),
            ]
            faces.append(np.stack(columns, axis=1))
    table = np.concatenate(faces)
    return Pictures(frames, truths, table[:, 0], table[:, 1], table[:, 2], table[:, 3] > 0, table[:, 4] > 0, table[:, 5])


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
        raise GpenLiveError("training.film", path=path)
    return frames
