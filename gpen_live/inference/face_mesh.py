"""The dense mesh of a face from its aligned crop, on processors, in OpenVINO."""

from __future__ import annotations

import math

import cv2
import numpy as np

from gpen_live.faces.mesh import Floats, Mesh, window
from gpen_live.inference.openvino.face_mesh import build
from gpen_live.inference.openvino.network import compiled, core, library
from gpen_live.models.loading import load
from gpen_live.models.registry import get, locate
from gpen_live.nets import face_mesh as nets
from gpen_live.nets.layers import Array, Network


class FaceMesh:
    """Finds the points of a face. Not for several threads at once.

    Args:
        base, parts: as `gpen_live.nets.face_mesh.networks` gives them.
        threads: how many they compute with.

    Raises:
        RuntimeMissingError: OpenVINO is missing. RuntimeError: it refuses the networks.
    """

    def __init__(self, base: Network, parts: Network, *, threads: int = 1) -> None:
        self._request = compiled(core(), build(library(), base, parts), "fp32", threads)
        self._planes = np.empty((1, 3, nets.SIDE, nets.SIDE), np.uint8)

    @staticmethod
    def load(*, threads: int = 1) -> FaceMesh:
        """With the weights that come with GPEN Live.

        Raises:
            WeightsError: they are missing or damaged. Else as `FaceMesh`.
        """
        return FaceMesh(*shipped_networks(), threads=threads)

    def __call__(self, crop: Array) -> Mesh:
        """The mesh of the face in an aligned crop (S x S x 3, uint8, BGR). Raises RuntimeError where OpenVINO fails."""
        left, top, side, box = window(len(crop))
        seen = crop[top : top + side, left : left + side]
        if box > 1:
            seen = cv2.resize(seen, (side // box, side // box), interpolation=cv2.INTER_AREA)
        small = cv2.resize(seen, (nets.SIDE, nets.SIDE), interpolation=cv2.INTER_LINEAR)
        cv2.mixChannels([small], list(self._planes[0]), [0, 2, 1, 1, 2, 0])
        found, logit = self.found(self._planes)
        found *= side / (nets.SIDE * len(crop))
        found[:, 0] += left / len(crop)
        found[:, 1] += top / len(crop)
        return Mesh(found, 1 / (1 + math.exp(-max(logit, -80.0))))

    def found(self, picture: Array) -> tuple[Floats, float]:
        """The points in a picture (1 x 3 x 192 x 192, uint8, RGB), 478 x 3 in its pixels, and the logit of a face."""
        self._request.infer({0: picture}, share_inputs=True)
        points, logit = (self._request.get_output_tensor(i).data for i in range(2))
        return np.array(points), float(logit[0, 0])


def shipped_networks() -> tuple[Network, Network]:
    """The base and the parts, with the weights that come with GPEN Live.

    Raises:
        WeightsError: they are missing or damaged.
    """
    spec = get("face-mesh")
    found = load(spec, locate(spec))
    assert found.network is not None
    return found.network, found.followers[0]
