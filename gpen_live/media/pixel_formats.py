"""From the finished picture to the pixel format that the sink wants."""

from __future__ import annotations

import cv2
import numpy as np

from gpen_live.frame import Array, Image, PixelFormat, Size

_BACK = {PixelFormat.I420: cv2.COLOR_YUV2BGR_I420, PixelFormat.NV12: cv2.COLOR_YUV2BGR_NV12}


def convert(image: Image, pixel_format: PixelFormat, out: Array | None = None) -> Array:
    """Converts a BGR picture to `pixel_format`.

    Args:
        image: H x W x 3, uint8, BGR.
        pixel_format: BGR returns `image` itself. I420 and NV12 are H*3/2 x W, uint8, BT.601 limited range (Y 16-235); odd
            sides are first padded to even ones by repeating the last row or column.
        out: an array returned earlier for the same size and pixel_format, to be written anew; None makes one.
    """
    if pixel_format is PixelFormat.BGR:
        return image
    height, width = image.shape[:2]
    padded: Array = image
    if height % 2 or width % 2:
        padded = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        height, width = padded.shape[:2]
    planes: Array = cv2.cvtColor(padded, cv2.COLOR_BGR2YUV_I420, dst=out)
    if pixel_format is PixelFormat.NV12:
        chroma = planes[height:]
        u, v = chroma.copy().reshape(2, height // 2, width // 2)
        cv2.merge((u, v), dst=chroma.reshape(height // 2, width // 2, 2))
    return planes


def restore(pixels: Array, pixel_format: PixelFormat, size: Size) -> Image:
    """The BGR picture of `size` that `pixels` in `pixel_format` show; in 4:2:0 with colours of half the resolution."""
    picture = (
        pixels if pixel_format is PixelFormat.BGR else cv2.cvtColor(pixels, _BACK[pixel_format])[: size.height, : size.width]
    )
    return np.ascontiguousarray(picture, dtype=np.uint8)
