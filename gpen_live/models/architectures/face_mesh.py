"""The face mesh: our own files, converted from MediaPipe's by packaging/convert_face_mesh.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from gpen_live.models.architectures.base import STRICT, Architecture, Descriptor
from gpen_live.nets import face_mesh
from gpen_live.nets.layers import Array

if TYPE_CHECKING:
    from torch import nn


class FaceMesh(Architecture):
    """See `gpen_live.nets.face_mesh`."""

    name = "face-mesh"
    purpose = "landmarks"
    any_size = False
    heavy = False
    kernels = None  # as a network of pictures: it gives points
    tolerance = STRICT

    def detect(self, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str | None:
        """By the layer that gives the points."""
        return "a face mesh" if "base.points.weight" in arrays and "parts.points.weight" in arrays else None

    def load(self, model: str, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> Descriptor:
        """The base is the network, the parts follow."""
        base, parts = face_mesh.networks(arrays)

        def module() -> nn.Module:
            from gpen_live.nets.torch_graph import TorchGraph

            return TorchGraph.of(base)

        return Descriptor(stride=None, memory=False, module=module, network=base, followers=(parts,))


FACE_MESH: Final = FaceMesh()
