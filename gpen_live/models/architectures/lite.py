"""Light networks: their settings lie in their files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from gpen_live.models.architectures.base import LIGHT, Architecture, Descriptor
from gpen_live.nets import lite
from gpen_live.nets.layers import Array, Network
from gpen_live.nets.quantised import lite_convolutions, unpack_state

if TYPE_CHECKING:
    from torch import nn


class Lite(Architecture):
    """See `gpen_live.nets.lite`."""

    name = "lite"
    purpose = "enhance"
    any_size = True
    heavy = False
    kernels = "graph"
    tolerance = LIGHT

    def detect(self, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str | None:
        """A light network's size is not in its file: it takes any."""
        return "a light network" if metadata.get("architecture") == self.name or "fuse.0.reduce.weight" in arrays else None

    def load(self, model: str, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> Descriptor:
        """Weights in 8 bits become the rounded ones in float32, with the ranges of what their convolutions get."""
        state, ranges = unpack_state(arrays)
        try:
            settings = lite.checked(json.loads(metadata["settings"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("its settings are missing or wrong") from error
        network = Network(lite.graph(settings), state)
        if unknown := ranges.keys() - set(lite_convolutions(network.graph)):
            raise ValueError(f"{min(unknown)} is no convolution")

        def module() -> nn.Module:
            return _module(network, settings)

        stride, memory = network.graph.stride, bool(settings["memory"])
        return Descriptor(stride, memory, module, network, ranges, metadata.get("made_of", "") if ranges else "")


def _module(network: Network, settings: lite.Settings) -> nn.Module:
    import torch

    from gpen_live.nets.torch_graph import tensors
    from gpen_live.nets.torch_lite import Lite as TorchLite

    with torch.device("meta"):
        module = TorchLite.from_settings(settings)
    module.load_state_dict(tensors(network.weights), assign=True)
    return module.eval().requires_grad_(False)


LITE: Final = Lite()
