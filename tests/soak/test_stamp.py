"""Numbers on frames: read again after all that happens to a frame on its way, and never read where there is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpen_live.frame import Array, Image, PixelFormat, Size
from gpen_live.media.pixel_formats import convert
from gpen_live.soak import stamp
from gpen_live.soak.faults import _brightness

SIZES = (stamp.SMALLEST, Size(320, 180), Size(641, 361), Size(1280, 720), Size(720, 1280))


def picture(size: Size, number: int) -> Image:
    image = np.random.default_rng(1).integers(0, 256, (size.height, size.width, 3), np.uint8)
    stamp.write(image, number)
    return image


@given(st.integers(0, stamp.NUMBERS - 1), st.sampled_from(SIZES), st.sampled_from(PixelFormat))
def test_every_number_is_read_again_in_every_layout(number: int, size: Size, pixel_format: PixelFormat) -> None:
    pixels = convert(picture(size, number), pixel_format)
    assert stamp.read(_brightness(pixels, pixel_format)) == number


@pytest.mark.parametrize("size", SIZES[1:])
def test_it_survives_being_scaled_there_and_back(size: Size) -> None:
    half = picture(Size(size.width // 2 * 2, size.height // 2 * 2), 123456)
    there = cv2.resize(half, (size.width // 2, size.height // 2))
    back = np.asarray(cv2.resize(there, (size.width, size.height)))
    assert stamp.read(back[:, :, 1]) == 123456


@pytest.mark.parametrize("level", [0, 50, 128, 255])
def test_a_picture_of_one_colour_has_no_number(level: int) -> None:
    assert stamp.read(np.full((360, 640), level, np.uint8)) is None


def test_a_damaged_number_is_none() -> None:
    image: Array = picture(Size(640, 360), 77)[:, :, 1]
    corner = image[-20:, :200]
    found = 0
    for column in range(20):
        damaged = image.copy()
        damaged[-20:, :200][:, 10 * column : 10 * column + 10] = 255 - corner[:, 10 * column : 10 * column + 10]
        found += stamp.read(damaged) == 77
    assert found == 0
