"""Degradations to measure with: each films a scene with one fault of a webcam, frame by frame, at a level from 0 to 1.

Pictures are H x W x 3 RGB, float32 in [0, 1]; what a camera delivers is in steps of 1/255. Blurs count in pixels of
the crop, so the same level is gentler on a larger crop. All noise comes from seeds, the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.errors import GpenLiveError

Picture = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Shoot = Callable[[Picture, float, np.random.Generator, np.random.Generator], Picture]
"""Scene, level, this frame's chance, the whole scene's chance (the same for each of its frames) to what the camera delivers."""

_HISS = 0.012  # standard deviation of the noise that even a good camera has: 3 levels
_RUN_IN = 8  # frames that a video codec needs before its pictures are what a viewer sees


@dataclass(frozen=True, slots=True)
class Degradation:
    """One fault.

    Args:
        name: what the user types.
        title: what the reader of a table reads.
        levels: those measured unless others are asked for.
        shoot: films one frame.
        recolour: what the scene itself looks like to this camera; the truth of such a degradation. None: as it is.
        encode: passes the whole clip through a codec, at a level.
    """

    name: str
    title: str
    levels: tuple[float, ...]
    shoot: Shoot
    recolour: Shoot | None = None
    encode: Callable[[Sequence[Picture], float], list[Picture]] | None = None

    @property
    def shortest(self) -> int:
        """How many frames have to be filmed before the last ones are what a viewer sees."""
        return 1 if self.encode is None else _RUN_IN

    def truth(self, scene: Picture, level: float, seed: int) -> Picture:
        """What a perfect picture of the scene would be: the scene, in the camera's own colours where it has some."""
        if self.recolour is None:
            return scene
        return self.recolour(scene, level, np.random.default_rng(seed), np.random.default_rng(seed))

    def film(self, scenes: Sequence[Picture], level: float, seed: int) -> list[Picture]:
        """The camera's pictures of the scenes, one for each.

        The noise of a frame depends on `seed` and on how many frames follow, so that the last ones are the same however many
        lead up to them; but for codecs, which need `shortest` frames.
        """
        films = []
        for back, scene in zip(range(len(scenes) - 1, -1, -1), scenes, strict=True):
            chance = np.random.default_rng((seed, back + 1, round(1000 * level)))
            films.append(self.shoot(self.truth(scene, level, seed), level, chance, np.random.default_rng(seed)))
        if self.encode is not None:
            films = self.encode(films, level)
        return films


def to_8_bits(x: Floats) -> Picture:
    """Rounded to steps of 1/255, clipped to [0, 1]."""
    return np.asarray(np.rint(np.asarray(x, np.float32).clip(0, 1) * 255) / np.float32(255), np.float32)


def as_bytes(x: Floats) -> npt.NDArray[np.uint8]:
    """0 to 255."""
    return np.ascontiguousarray(np.rint(np.asarray(x, np.float32).clip(0, 1) * 255).astype(np.uint8))


def _noise(chance: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Picture:
    return chance.standard_normal(shape, np.float32) * np.float32(sigma)


def _blurred(x: Picture, sigma: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(x, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32)


def _convolved(x: Picture, kernel: Floats) -> Picture:
    return np.asarray(cv2.filter2D(x, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101), np.float32)


def _clean(x: Picture, level: float, chance: np.random.Generator, scene: np.random.Generator) -> Picture:
    return to_8_bits(x)


def _mixed(x: Picture, level: float, chance: np.random.Generator, scene: np.random.Generator) -> Picture:
    """The reference ladder that training validates with."""
    import torch

    from gpen_live.facedata.degrade import ladder

    generator = torch.Generator().manual_seed(int(chance.integers(2**62)))
    out = ladder(torch.from_numpy(x).permute(2, 0, 1)[None], level, generator)
    return np.ascontiguousarray(out[0].permute(1, 2, 0).numpy())


def _low_light(x: Picture, level: float, chance: np.random.Generator, scene: np.random.Generator) -> Picture:
    """Few photons behind a high gain.

    White fills the pixel with 2400 electrons at level 0 and 150 at level 1; shot noise (normal) on them, read noise of 3
    electrons, grains of a demosaiced sensor, and blotches in the chroma alone, 2.5 pixels wide, up to 0.03.
    """
    full = 2400.0 * 2 ** (-4 * level)
    light = np.clip(x, 0, 1) ** 2.2 * full
    grains = _blurred(_noise(chance, x.shape, 1), 0.5)
    light = light + grains / grains.std() * np.sqrt(light + 9)
    seen = np.clip(light / full, 0, None) ** (1 / 2.2)
    blotches = _blurred(_noise(chance, x.shape, 1), 2.5)
    blotches -= blotches.mean(2, keepdims=True)
    return to_8_bits(seen + 0.03 * level * blotches / blotches.std())


def _halos(x: Picture, level: float, chance: np.random.Generator, scene: np.random.Generator) -> Picture:
    """A camera that sharpens: unsharp masking of a slightly soft picture, 1 to 3 times over, its hiss included."""
    soft = _blurred(x, 0.8) + _noise(chance, x.shape, _HISS)
    return to_8_bits(soft + (1 + 2 * level) * (soft - _blurred(soft, 1.4)))


def _defocus(x: Picture, level: float, chance: np.random.Generator, scene: np.random.Generator) -> Picture:
    """A lens that is set to another distance: a disc of 0.5 to 3.5 pixels' radius, then the camera's hiss."""
    from gpen_live.facedata.blur import disc

    return to_8_bits(_convolved(x, disc(25, 0.5 + 3 * level)) + _noise(chance, x.shape, _HISS))


def _motion(x: Picture, level: float, chance: np.random.Generator, scene: np.random.Generator) -> Picture:
    """A head that moves during the exposure: a line of 1 to 13 pixels in any direction, then the camera's hiss."""
    from gpen_live.facedata.blur import line

    return to_8_bits(_convolved(x, line(25, 1 + 12 * level, scene.uniform(0, math.pi))) + _noise(chance, x.shape, _HISS))


def _upscaled(x: Picture, level: float, chance: np.random.Generator, scene: np.random.Generator) -> Picture:
    """A camera of fewer lines, shown at 720: level 0.5 has 480, level 1 has 360; bilinear, the hiss is scaled up with it."""
    height, width = x.shape[:2]
    side = (max(1, round(width / (1 + level))), max(1, round(height / (1 + level))))
    small = np.asarray(cv2.resize(x, side, interpolation=cv2.INTER_AREA), np.float32)
    small = to_8_bits(small + _noise(chance, small.shape, _HISS))
    return to_8_bits(np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32))


def _mjpg(x: Picture, level: float, chance: np.random.Generator, scene: np.random.Generator) -> Picture:
    """Motion JPEG of a cheap camera (libjpeg, 4:2:0), quality 70 down to 20; some noise before it."""
    noisy = as_bytes(x + _noise(chance, x.shape, _HISS * (1 + level)))
    options = [cv2.IMWRITE_JPEG_QUALITY, round(70 - 50 * level), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x221111]
    coded = cv2.imencode(".jpg", noisy[..., ::-1], options)[1]
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / 255)


def _before_codec(x: Picture, level: float, chance: np.random.Generator, scene: np.random.Generator) -> Picture:
    return to_8_bits(x + _noise(chance, x.shape, 1.5 * _HISS))


def _h264(frames: Sequence[Picture], level: float) -> list[Picture]:
    """What H.264 leaves of a clip: x264 as a live encoder sets it up, constant rate factor 22 to 36."""
    import av

    if "libx264" not in av.codecs_available:
        raise GpenLiveError("quality.no_x264")
    height, width = frames[0].shape[:2]
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate = Fraction(30)
    encoder.time_base = Fraction(1, 30)
    encoder.thread_count = 1  # the same bits on every machine
    encoder.options = {"preset": "veryfast", "tune": "zerolatency", "crf": f"{22 + 14 * level:g}"}
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    packets = []
    for number, frame in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(as_bytes(frame), format="rgb24").reformat(format="yuv420p")
        picture.pts = number
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoded = [picture for packet in packets for picture in decoder.decode(packet)]
    decoded += decoder.decode(None)
    return [picture.to_ndarray(format="rgb24").astype(np.float32) / 255 for picture in decoded]


def _balance(x: Picture, level: float, chance: np.random.Generator, scene: np.random.Generator) -> Picture:
    """A wrong white balance, warm or cool by the draw: red and blue up to a quarter too strong and too weak."""
    tilt = 0.25 * level * (1 if scene.random() < 0.5 else -1)
    return to_8_bits(x * np.array([1 + tilt, 1, 1 - tilt], np.float32))


def _light_mixed(x: Picture, level: float, chance: np.random.Generator, scene: np.random.Generator) -> Picture:
    return _mixed(x, 0.25, chance, scene)


_TWO = (0.5, 1.0)

DEGRADATIONS: dict[str, Degradation] = {
    degradation.name: degradation
    for degradation in (
        Degradation("clean", "Clean", (0.0,), _clean),
        Degradation(
            "mixed", "Mixed: blur, fewer pixels, noise and JPEG (the reference ladder)", (0.0, 0.25, 0.5, 0.75, 1.0), _mixed
        ),
        Degradation("low-light", "Low light: shot and read noise, blotchy colour noise", _TWO, _low_light),
        Degradation("halos", "Sharpened by the camera: halos", _TWO, _halos),
        Degradation("defocus", "Out of focus", _TWO, _defocus),
        Degradation("motion", "Motion blur", _TWO, _motion),
        Degradation("upscaled", "Fewer lines, scaled up: 480 (level 0.5) or 360 (level 1) shown at 720", _TWO, _upscaled),
        Degradation("mjpg", "MJPG at low quality", _TWO, _mjpg),
        Degradation("h264", "H.264 at a low rate", _TWO, _before_codec, encode=_h264),
        Degradation(
            "white-balance",
            "Wrong white balance under light faults (mixed, 0.25): the truth keeps the wrong colours",
            _TWO,
            _light_mixed,
            recolour=_balance,
        ),
    )
}
"""Every degradation by name."""
