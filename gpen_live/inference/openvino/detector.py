"""The face detector in OpenVINO, on processors: less than half of the time that PyTorch takes, the same faces (float32)."""

from __future__ import annotations

import numpy as np

from gpen_live.inference.openvino.graph import build
from gpen_live.inference.openvino.network import Requests, library
from gpen_live.nets.layers import Array, Network
from gpen_live.nets.retinaface import MEAN_BGR, STRIDE


class OpenVinoDetector:
    """The network's findings in a picture. Each new shape is compiled first (0.1 s).

    Args:
        network: as `gpen_live.nets.retinaface.fold` gives it.
        threads: how many it computes with.

    Raises:
        RuntimeMissingError: OpenVINO is missing. RuntimeError: it refuses the network.
    """

    def __init__(self, network: Network, *, threads: int) -> None:
        self._requests = Requests(build(library(), network), "fp32", threads)

    def __call__(self, picture: Array) -> tuple[Array, Array, Array]:
        """The boxes' offsets (1 x N x 4), the classes' logits (1 x N x 2) and the landmarks' offsets (1 x N x 10) of all anchors.

        The anchors are those of `picture` padded at its right and bottom to whole `STRIDE`s. The arrays are overwritten by the
        next call.

        Args:
            picture: 1 x 3 x h x w, float32, BGR, 0..255.

        Raises:
            RuntimeError: OpenVINO fails.
        """
        x = padded(picture)
        request = self._requests.of(x.shape)
        request.infer({0: x}, share_inputs=True)
        boxes, classes, landmarks = (request.get_output_tensor(i).data for i in range(3))
        return boxes, classes, landmarks


def padded(picture: Array) -> Array:
    """The picture (N x 3 x h x w, BGR, 0..255) with sides of whole `STRIDE`s, filled with what is zero to the network."""
    count, _, height, width = picture.shape
    out = np.empty((count, 3, -(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE), np.float32)
    mean = np.array(MEAN_BGR, np.float32).reshape(1, 3, 1, 1)
    out[..., :height, :width] = picture
    out[..., height:, :], out[..., :height, width:] = mean, mean
    return out
