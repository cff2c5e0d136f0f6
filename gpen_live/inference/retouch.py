"""The layers of a face's retouching from its aligned crop, on processors, in OpenVINO."""

from __future__ import annotations

import cv2
import numpy as np

from gpen_live.inference.openvino.graph import build
from gpen_live.inference.openvino.network import compiled, core, library
from gpen_live.models.loading import load
from gpen_live.models.registry import get, locate
from gpen_live.nets.layers import Array, Network
from gpen_live.nets.retouch import LAYER_STEP, LAYERS, SIZE

SHAPE = (len(LAYERS), SIZE // LAYER_STEP, SIZE // LAYER_STEP)
"""Of a face's layers: 5 x 128 x 128."""


class Retouch:
    """Finds the layers of a face (see `gpen_live.nets.retouch.LAYERS`). Not for several threads at once.

    Args:
        network: as `shipped_network` gives it.
        threads: how many it computes with.

    Raises:
        RuntimeMissingError: OpenVINO is missing. RuntimeError: it refuses the network.
    """

    def __init__(self, network: Network, *, threads: int = 1) -> None:
        model = build(library(), network)
        shapes = ((1, 3, SIZE, SIZE), (1, *SHAPE))
        model.reshape({each: library().PartialShape(list(shape)) for each, shape in zip(model.inputs, shapes, strict=True)})
        self._request = compiled(core(), model, "fp32", threads)
        self._none = np.zeros((1, *SHAPE), np.float32)

    @staticmethod
    def load(*, threads: int = 1) -> Retouch:
        """With the weights that come with GPEN Live.

        Raises:
            WeightsError: they are missing or damaged. Else as `Retouch`.
        """
        return Retouch(shipped_network(), threads=threads)

    def __call__(self, crop: Array, previous: Array | None = None) -> Array:
        """The layers of the face in an aligned crop.

        Args:
            crop: S x S x 3, uint8, BGR, as the frame shows it.
            previous: the layers of the frame before, aligned alike; None: there are none.

        Returns:
            5 x 128 x 128, float32, in [0, 1].

        Raises:
            RuntimeError: OpenVINO fails.
        """
        if len(crop) != SIZE:
            way = cv2.INTER_AREA if len(crop) > SIZE else cv2.INTER_LINEAR
            crop = cv2.resize(crop, (SIZE, SIZE), interpolation=way)
        picture = cv2.dnn.blobFromImage(crop, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True)
        before = self._none if previous is None else np.ascontiguousarray(previous, np.float32)[None]
        self._request.infer({0: picture, 1: before}, share_inputs=True)
        found: Array = self._request.get_output_tensor(0).data[0].copy()
        return found


def shipped_network() -> Network:
    """The network with the weights that come with GPEN Live.

    Raises:
        WeightsError: they are missing or damaged.
    """
    spec = get("retouch")
    network = load(spec, locate(spec)).network
    assert network is not None
    return network
