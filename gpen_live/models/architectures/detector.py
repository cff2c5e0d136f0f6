"""The face detector: facexlib's files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from gpen_live.models.architectures.base import STRICT, Architecture, Descriptor
from gpen_live.nets import retinaface
from gpen_live.nets.layers import Array

if TYPE_CHECKING:
    from torch import nn


class Detector(Architecture):
    """See `gpen_live.nets.retinaface`."""

    name = "detector"
    purpose = "detect"
    any_size = True
    heavy = False
    kernels = None  # as a network of pictures: its own kernels give the candidates, see `inference.fast_detector`
    tolerance = STRICT

    def detect(self, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str | None:
        """By the classes' head, which all of RetinaFace's backbones share."""
        return "a RetinaFace face detector" if "ClassHead.0.conv1x1.weight" in arrays else None

    def load(self, model: str, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> Descriptor:
        """Normalisations are folded."""
        network = retinaface.fold(arrays)

        def module() -> nn.Module:
            from gpen_live.nets.torch_graph import TorchGraph

            return TorchGraph.of(network)

        return Descriptor(retinaface.STRIDE, memory=False, module=module, network=network)


DETECTOR: Final = Detector()
