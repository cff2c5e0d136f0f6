"""How much a face still is the same person to a recognition network, which is given by path."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.errors import GpenLiveError
from gpen_live.facedata.arcface import ARCFACE, MEAN, SIDE, STD
from gpen_live.faces.align import GPEN_TEMPLATE, similarity

Bytes = npt.NDArray[np.uint8]
Embedding = npt.NDArray[np.float32]


class Identity:
    """A face recognition network in ONNX: 1 x 3 x 112 x 112, RGB with ImageNet's mean and deviation, to an embedding.

    Raises:
        GpenLiveError: the file is missing or no such network.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise GpenLiveError("quality.no_identity_net", path=path)
        try:
            self._net = cv2.dnn.readNetFromONNX(str(path))
            self.embed(np.full((SIDE, SIDE, 3), 128, np.uint8))
        except cv2.error as error:
            raise GpenLiveError("quality.identity_net", path=path) from error

    def embed(self, crop: Bytes) -> Embedding:
        """A crop on GPEN's template (side x side x 3, RGB, any side) to its embedding, of length 1."""
        x = (arcface_crop(crop).astype(np.float32) / 255 - MEAN) / STD
        self._net.setInput(np.ascontiguousarray(x.transpose(2, 0, 1))[None])
        vector = np.asarray(self._net.forward(), np.float32).ravel()
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


def arcface_crop(crop: Bytes) -> Bytes:
    """The crop on ArcFace's template, 112 x 112 x 3, RGB."""
    side = crop.shape[0]
    scale = float(np.hypot(*similarity(GPEN_TEMPLATE * side, ARCFACE)[0, :2]))
    if scale < 0.9:  # an area filter first, which warpAffine has not
        side = max(1, round(side * scale))
        crop = np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.warpAffine(crop, similarity(GPEN_TEMPLATE * side, ARCFACE), (SIDE, SIDE)), np.uint8)
