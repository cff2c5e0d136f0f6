"""Still pictures as sources."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gpen_live.errors import SourceError
from gpen_live.frame import Array, Image, Size
from gpen_live.messages import message
from gpen_live.sources import open_source

COLOUR = np.random.default_rng(3).integers(0, 255, (5, 7, 3), np.uint8)


def save(path: Path, image: Array) -> Path:
    done, data = cv2.imencode(path.suffix, image)
    assert done
    path.write_bytes(data.tobytes())
    return path


def show(path: Path, count: int = 2) -> list[Image]:
    source = open_source(str(path), size=None, fps=None, realtime=False)
    assert source.fps == 30
    assert source.label == path.name
    images = []
    for _ in range(count):
        image = source.read()
        assert image is not None
        assert Size.of(image) == source.size
        assert image.dtype == np.uint8
        assert (image.ndim, image.shape[2], image.flags.c_contiguous) == (3, 3, True)
        images.append(image)
    source.close()
    source.close()
    return images


@pytest.mark.parametrize("name", ["a.png", "b.PNG", "c.bmp", "d.tif", "ä 文.png"])
def test_lossless_pictures_arrive_as_they_are_for_ever(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(cv2.imencode(path.suffix.lower(), COLOUR)[1].tobytes())
    images = show(path, 40)
    assert all(np.array_equal(image, COLOUR) for image in images)
    images[0][:] = 0
    assert images[1].any()


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_pictures(tmp_path: Path, suffix: str) -> None:
    smooth = np.full((16, 16, 3), (40, 120, 200), np.uint8)
    assert np.abs(show(save(tmp_path / f"a{suffix}", smooth))[0].astype(int) - smooth).max() <= 6


def test_grey(tmp_path: Path) -> None:
    grey = COLOUR[:, :, 0]
    assert np.array_equal(show(save(tmp_path / "a.png", grey))[0], np.dstack([grey] * 3))


def test_sixteen_bits(tmp_path: Path) -> None:
    assert np.array_equal(show(save(tmp_path / "a.png", COLOUR.astype(np.uint16) * 257))[0], COLOUR)


def test_alpha(tmp_path: Path) -> None:
    assert np.array_equal(show(save(tmp_path / "a.png", np.dstack([COLOUR, COLOUR[:, :, 0]])))[0], COLOUR)


def test_one_pixel(tmp_path: Path) -> None:
    assert show(save(tmp_path / "a.png", COLOUR[:1, :1]))[0].shape == (1, 1, 3)


def test_real_time_waits_for_the_next_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("gpen_live.sources.pacing.time.sleep", slept.append)
    source = open_source(str(save(tmp_path / "a.png", COLOUR)), size=None, fps=None)
    for _ in range(4):
        source.read()
    assert max(slept) > 0.02


@pytest.mark.parametrize("content", [b"no picture", cv2.imencode(".png", COLOUR)[1].tobytes()[:40]])
def test_what_is_no_picture(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        open_source(str(path), size=None, fps=None)
    assert caught.value.message == message("still.unreadable", file="a.png")
