"""Fitting whatever a source delivers into the size that the output promised."""

from __future__ import annotations

import cv2
import numpy as np

from gpen_live.frame import Array, Image, Size


def fit(image: Array, size: Size) -> Image:
    """`image` as BGR in exactly `size`: scaled with its aspect kept, black bars where it doesn't fill.

    Takes H x W, H x W x 1, x 3 or x 4 of uint8 or uint16 (the upper byte counts).

    Raises:
        ValueError: not a picture.
    """
    picture = as_bgr(image)
    height, width = picture.shape[:2]
    if (width, height) == (size.width, size.height):
        return picture
    scale = min(size.width / width, size.height / height)
    inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    inner = cv2.resize(picture, (inner_w, inner_h), interpolation=way)
    if (inner_w, inner_h) == (size.width, size.height):
        return np.asarray(inner, dtype=np.uint8)
    out = np.zeros((size.height, size.width, 3), np.uint8)
    top, left = (size.height - inner_h) // 2, (size.width - inner_w) // 2
    out[top : top + inner_h, left : left + inner_w] = inner
    return out


def as_bgr(image: Array) -> Image:
    """`image` as H x W x 3, uint8, BGR, C-contiguous.

    Raises:
        ValueError: not a picture.
    """
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError("not a picture")
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        raise ValueError(f"pixels of type {image.dtype}")
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 1:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    if channels == 4:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGRA2BGR), dtype=np.uint8)
    if channels != 3:
        raise ValueError(f"a picture of {channels} channels")
    return np.ascontiguousarray(image)
