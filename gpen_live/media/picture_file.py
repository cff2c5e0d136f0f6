"""One picture into a file, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gpen_live.errors import GpenLiveError
from gpen_live.frame import Array, Image
from gpen_live.system.atomic import replace_file

WRITABLE = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""Endings of names that say what kind of picture is written."""

_JPEG_QUALITY = 95


def write_picture(path: Path, image: Image, alpha: Array | None = None) -> None:
    """Writes a picture in the format of its name's ending; alpha is kept where the format has it.

    Args:
        image: H x W x 3, uint8, BGR. alpha: H x W, uint8 or uint16.

    Raises:
        GpenLiveError: it can't be written.
    """
    ending = path.suffix.lower()
    pixels: Array = image
    if alpha is not None and ending in (".png", ".webp", ".tif", ".tiff"):
        pixels = np.dstack([image, alpha if alpha.dtype == np.uint8 else (alpha >> 8).astype(np.uint8)])
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if ending in (".jpg", ".jpeg") else []
    try:
        ok, encoded = cv2.imencode(ending, pixels, options)
    except cv2.error as error:
        raise GpenLiveError("photo.encoder", ending=ending) from error
    if not ok:
        raise GpenLiveError("photo.encoder", ending=ending)
    try:
        replace_file(path, encoded.tobytes())
    except OSError as error:
        raise GpenLiveError("file.unwritable", path=path, reason=error.strerror) from error
