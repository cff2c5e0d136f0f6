"""How much a face still is the same person to a recognition network, which is given by path."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.errors import GpenLiveError
from gpen_live.faces.align import GPEN_TEMPLATE, similarity

Bytes = npt.NDArray[np.uint8]
Embedding = npt.NDArray[np.float32]

SIDE = 112
ARCFACE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Where ArcFace (Deng et al., CVPR 2019) puts eyes, nose and mouth in 112 x 112 pixels."""
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


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
