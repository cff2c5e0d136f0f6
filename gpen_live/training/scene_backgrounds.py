"""What scenes are pasted into: photographs without people, and pictures of lettering and shapes drawn by the program."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gpen_live.errors import GpenLiveError
from gpen_live.frame import Image
from gpen_live.training.scene_photos import read_image

SCENE_SIDE = 512
"""Longest side of a background in pixels."""

WITH_PEOPLE = tuple(f"kodak_{number:02d}" for number in (4, 5, 12, 14, 15, 17, 18, 24))
HELD_OUT_SCENES = ("kodak_01", "kodak_07", "kodak_13", "kodak_20", "kodak_23", "skimage_brick", "skimage_coffee")
"""Backgrounds that show people, never used where faces are labelled; and those kept for validation."""


def read_scenes(folder: Path, split: str) -> list[Image]:
    """Reads the backgrounds of one split from a folder of pictures, people left out, at most SCENE_SIDE pixels a side.

    Raises:
        GpenLiveError: there are none.
    """
    scenes = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        wanted = path.stem not in WITH_PEOPLE and (path.stem in HELD_OUT_SCENES) == (split == "val")
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"} and wanted:
            scenes.append(reduce_scene(read_image(path)))
    if not scenes:
        raise GpenLiveError("training.no_backgrounds", split=split, folder=folder)
    return scenes


WHITE = (255.0, 255.0, 255.0)


def drawn_scenes(count: int, seed: int) -> list[Image]:
    """Pictures of lettering and shapes, many in the colours of skin: what overlays and posters hold, and no face."""
    random_numbers = np.random.default_rng(seed)
    return [_drawn_scene(random_numbers) for _ in range(count)]


def _drawn_scene(draw: np.random.Generator) -> Image:
    width, height = SCENE_SIDE, SCENE_SIDE * 2 // 3
    fall = np.linspace(0, 1, height)[:, None, None]
    picture = draw.uniform(0, 255, 3) * (1 - fall) + draw.uniform(0, 255, 3) * fall + np.zeros((height, width, 3))
    for _ in range(int(draw.integers(3, 16))):
        inner, outer = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
        x, y = int(draw.integers(0, width)), int(draw.integers(0, height))
        line = int(draw.integers(2, 8))
        if draw.random() < 0.7:
            text = "".join(draw.choice(list("abcdeghkmnopqsuwxyzABCDEGHKMNOPQRSUWXYZ0235689&?!"), int(draw.integers(1, 9))))
            font = int(draw.choice([cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SIMPLEX]))
            size, stroke = float(draw.uniform(0.8, 4.5)), int(draw.integers(2, 18))
            place = (x - width // 3, y)
            cv2.putText(inner, text, place, font, size, WHITE, stroke, cv2.LINE_AA)
            cv2.putText(outer, text, place, font, size, WHITE, stroke + 2 * line, cv2.LINE_AA)
        else:
            axes = (int(draw.integers(6, 90)), int(draw.integers(6, 90)))
            turn = float(draw.uniform(0, 180))
            cv2.ellipse(inner, (x, y), axes, turn, 0, 360, WHITE, -1, cv2.LINE_AA)
            cv2.ellipse(outer, (x, y), (axes[0] + line, axes[1] + line), turn, 0, 360, WHITE, -1, cv2.LINE_AA)
        warm = np.sort(draw.uniform(30, 255, 3)) if draw.random() < 0.6 else draw.uniform(0, 255, 3)
        shade = warm * (1 + draw.uniform(-0.5, 0.5) * (fall * height - y) / 60).clip(0.3, 1.6)
        for cover, colour in ((outer, warm * draw.uniform(0.1, 0.9)), (inner, shade)):
            picture = picture + cover[..., None] / 255.0 * (colour - picture)
    return cv2.GaussianBlur(np.clip(picture, 0, 255), (0, 0), float(draw.uniform(0.3, 2.0))).astype(np.uint8)


def reduce_scene(image: Image) -> Image:
    """A background with its longer side at most SCENE_SIDE."""
    ratio = SCENE_SIDE / max(image.shape[:2])
    if ratio >= 1:
        return image
    size = (max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
