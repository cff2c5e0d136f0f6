"""From BGR to what sinks want."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpen_live.frame import Image, PixelFormat, Size
from gpen_live.media.pixel_formats import convert, restore
from gpen_live.sinks.base import even

BACK = {PixelFormat.I420: cv2.COLOR_YUV2BGR_I420, PixelFormat.NV12: cv2.COLOR_YUV2BGR_NV12}
layouts = st.sampled_from(list(BACK))
sides = st.integers(1, 41)


def smooth(width: int, height: int) -> Image:
    """A picture whose colours change slowly, as halved chroma needs."""
    y, x = np.mgrid[0:height, 0:width]
    image: Image = np.stack([60 + x, 200 - x - y, 90 + y], axis=2).astype(np.uint8)
    return image


@given(layouts, sides, sides)
def test_there_and_back_at_any_size(pixel_format: PixelFormat, width: int, height: int) -> None:
    image = smooth(width, height)
    pixels = convert(image, pixel_format)
    padded = even(Size(width, height))
    assert pixels.shape == (padded.height * 3 // 2, padded.width)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    back = cv2.cvtColor(pixels, BACK[pixel_format])[:height, :width]
    assert np.abs(back.astype(int) - image).max() <= 6


@given(layouts, sides, sides, st.tuples(*[st.integers(0, 255)] * 3))
def test_constant_pictures_stay_constant(
    pixel_format: PixelFormat, width: int, height: int, colour: tuple[int, int, int]
) -> None:
    image = np.full((height, width, 3), colour, np.uint8)
    back = cv2.cvtColor(convert(image, pixel_format), BACK[pixel_format])
    assert (back == back[0, 0]).all()
    assert np.abs(back[0, 0].astype(int) - colour).max() <= 4


@pytest.mark.parametrize(("colour", "luma"), [((0, 0, 0), 16), ((255, 255, 255), 235), ((255, 0, 0), 41), ((0, 0, 255), 81)])
def test_bt601_limited_range(colour: tuple[int, int, int], luma: int) -> None:
    pixels = convert(np.full((4, 4, 3), colour, np.uint8), PixelFormat.NV12)
    assert np.abs(pixels[:4].astype(int) - luma).max() <= 1


def test_nv12_interleaves_what_i420_keeps_apart() -> None:
    image = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    i420, nv12 = convert(image, PixelFormat.I420), convert(image, PixelFormat.NV12)
    assert np.array_equal(i420[:6], nv12[:6])
    u, v = i420[6:].reshape(2, -1)
    assert np.array_equal(nv12[6:].ravel()[::2], u)
    assert np.array_equal(nv12[6:].ravel()[1::2], v)


@pytest.mark.parametrize("pixel_format", list(BACK))
@pytest.mark.parametrize("size", [Size(8, 6), Size(7, 5)])
def test_an_array_is_used_again(pixel_format: PixelFormat, size: Size) -> None:
    first, second = smooth(size.width, size.height), smooth(size.width, size.height)[::-1].copy()
    out = convert(first, pixel_format)
    again = convert(second, pixel_format, out)
    assert again is out or again.base is out.base or np.shares_memory(again, out)
    assert np.array_equal(again, convert(second, pixel_format))


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_a_picture_comes_back_in_its_size(pixel_format: PixelFormat) -> None:
    image = smooth(7, 5)
    back = restore(convert(image, pixel_format), pixel_format, Size(7, 5))
    assert back.shape == image.shape
    assert back.flags.c_contiguous
    assert np.abs(back.astype(int) - image).max() <= 6


def test_bgr_passes_as_it_is() -> None:
    image = smooth(5, 3)
    assert convert(image, PixelFormat.BGR) is image


def test_the_picture_itself_is_left_alone() -> None:
    image = smooth(7, 5)
    before = image.copy()
    for pixel_format in BACK:
        convert(image, pixel_format)
    assert np.array_equal(image, before)
