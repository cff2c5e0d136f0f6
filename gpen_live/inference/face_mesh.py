"""The dense mesh of a face from its aligned crop, on processors, in OpenVINO."""

from __future__ import annotations

import math

import cv2
import numpy as np

from gpen_live.faces.mesh import Floats, Mesh, window
from gpen_live.inference.openvino.graph import build
from gpen_live.inference.openvino.network import Requests, library
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
        self._base, self._parts = (
            Requests(build(library(), network), "fp32", threads).of(shape)
            for network, shape in (
                (base, (1, 3, nets.SIDE, nets.SIDE)),
                (parts, (1, len(nets.PARTS) * nets.FEATURES, nets.CROP_SIDE, nets.CROP_SIDE)),
            )
        )

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
        blue, green, red = cv2.split(cv2.resize(seen, (nets.SIDE, nets.SIDE), interpolation=cv2.INTER_LINEAR))
        picture = np.multiply([[red, green, blue]], np.float32(1 / 255), dtype=np.float32)
        found, logit = self.found(picture)
        found *= side / (nets.SIDE * len(crop))
        found[:, 0] += left / len(crop)
        found[:, 1] += top / len(crop)
        return Mesh(found, 1 / (1 + math.exp(-max(logit, -80.0))))

    def found(self, picture: Array) -> tuple[Floats, float]:
        """The points in a picture (1 x 3 x 192 x 192, float32, RGB in [0, 1]), 478 x 3 in its pixels, and the logit of a face."""
        self._base.infer({0: picture}, share_inputs=True)
        numbers = self._base.get_output_tensor(0).data
        points = numbers[:, :-1].reshape(1, nets.BASE_POINTS, 3)
        transforms = nets.crop_transforms(points)
        crops = nets.part_crops(self._base.get_output_tensor(1).data, transforms)
        self._parts.infer({0: crops}, share_inputs=True)
        return nets.refined(points, transforms, self._parts.get_output_tensor(0).data)[0], float(numbers[0, -1])


def shipped_networks() -> tuple[Network, Network]:
    """The base and the parts, with the weights that come with GPEN Live.

    Raises:
        WeightsError: they are missing or damaged.
    """
    spec = get("face-mesh")
    found = load(spec, locate(spec))
    assert found.network is not None
    return found.network, found.followers[0]
