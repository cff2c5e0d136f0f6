"""Makes the pictures of beauty in `assets/` from the demo camera, on this machine's processor.

    .venv/bin/python packaging/pictures.py [FOLDER]

before-after.png, beauty-presets.png, and beauty-presets.webp, a short film. They show what `lite-256` and the presets give: make
them again when either changes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from gpen_live.beauty.stage import open_stage
from gpen_live.engine.engine import Engine
from gpen_live.frame import Image, Size
from gpen_live.inference.device import CPU
from gpen_live.inference.loading import load_detector, load_enhancer
from gpen_live.look import Look
from gpen_live.presets import BUILT_IN
from gpen_live.sources.demo_scene import DemoScene

Place = npt.NDArray[np.float64]
"""Pixels x, y of a frame."""

ASSETS = Path(__file__).resolve().parent.parent / "assets"

SIZE, FPS = Size(1280, 720), 30.0
SETTLED = 15  # frames until faces and effects have faded in
STILL = 60  # the frame of the stills: she is near, and turns to the camera
WINDOW = 460  # pixels of the frame around the face
RAW = Look(enhance=False)
LOOKS = [(name.capitalize(), Look(beauty=beauty)) for name, beauty in BUILT_IN.items()]

EACH_S = 1.6  # of the film, for each preset
EVERY = 2  # frames of the demo camera for one of the film
QUALITY = 78


def main() -> None:
    """All three, into a folder."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ASSETS
    cv2.setNumThreads(1)
    engine = opened()
    raw, *presets = [still(engine, look) for _, look in [("", RAW), *LOOKS]]
    write(folder / "before-after.png", [raw, presets[list(BUILT_IN).index("natural")]], ["Camera", "Natural"])
    write(folder / "beauty-presets.png", presets, [name for name, _ in LOOKS])
    film = [Pictures.fromarray(named(picture, name)[:, :, ::-1]) for name, picture in filmed(engine)]
    duration = round(1000 * EVERY / FPS)
    film[0].save(
        folder / "beauty-presets.webp", save_all=True, append_images=film[1:], duration=duration, loop=0, quality=QUALITY
    )


def opened() -> Engine:
    """The engine as the app starts it here, with beauty."""
    stage = open_stage(CPU)
    return Engine(CPU, load_detector(CPU), load_enhancer("lite-256", None, CPU), stages=[stage] if stage is not None else [])


def still(engine: Engine, look: Look) -> Image:
    """The face in the frame STILL."""
    *_, (frame, place) = shown(engine, [look] * (SETTLED + 1), start=STILL - SETTLED)
    return around(frame, place)


def filmed(engine: Engine) -> Iterator[tuple[str, Image]]:
    """The face in each frame of the film, with the name of the preset: one after the other, while she moves."""
    looks = [one for one in LOOKS for _ in range(round(EACH_S * FPS))]
    before = LOOKS[-1:] * SETTLED  # the film is a loop
    frames = list(shown(engine, [look for _, look in before + looks]))[SETTLED:]
    places = np.array([place for _, place in frames])
    steady = [cv2.GaussianBlur(places[:, axis : axis + 1], (1, 0), 0.0, sigmaY=FPS / 2)[:, 0] for axis in (0, 1)]
    for (name, _), (frame, _), x, y in list(zip(looks, frames, *steady, strict=True))[::EVERY]:
        yield name, around(frame, np.array([x, y]))


def shown(engine: Engine, looks: Sequence[Look], start: int = 0) -> Iterator[tuple[Image, Place]]:
    """Frames of the demo camera as the engine shows them, each with the middle of the face."""
    scene = DemoScene(SIZE, FPS)
    engine.new_scene()
    for number, look in enumerate(looks, start):
        frame = scene.frame(number)
        done = engine.process(frame, number / FPS, look)
        yield done.image if look.enhance else frame, done.faces[0].landmarks.mean(axis=0)


def around(frame: Image, place: Place) -> Image:
    """The window around a face, a little above its middle, where the hair is."""
    x, y = np.round(place - [WINDOW / 2, WINDOW * 0.52]).astype(int)
    x, y = min(max(x, 0), SIZE.width - WINDOW), min(max(y, 0), SIZE.height - WINDOW)
    return frame[y : y + WINDOW, x : x + WINDOW]


def named(picture: Image, name: str) -> Image:
    """A picture with its name in a corner."""
    canvas = Pictures.fromarray(picture[:, :, ::-1])
    font = ImageFont.load_default(22)
    ImageDraw.Draw(canvas).text((14, WINDOW - 38), name, (255, 255, 255), font, stroke_width=2, stroke_fill=(40, 40, 40))
    return np.asarray(canvas)[:, :, ::-1]


def write(path: Path, pictures: Sequence[Image], names: Sequence[str]) -> None:
    """Pictures side by side."""
    gap = np.full((WINDOW, 8, 3), 255, np.uint8)
    row = [part for picture, name in zip(pictures, names, strict=True) for part in (gap, named(picture, name))][1:]
    cv2.imwrite(str(path), np.hstack(row), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
