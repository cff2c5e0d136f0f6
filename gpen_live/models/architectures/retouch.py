"""The retouch network: our own files, in half precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from gpen_live.models.architectures.base import LIGHT, Architecture, Descriptor
from gpen_live.nets import retouch
from gpen_live.nets.layers import Array, Network

if TYPE_CHECKING:
    from torch import nn


class Retouch(Architecture):
    """See `gpen_live.nets.retouch`."""

    name = "retouch"
    purpose = "retouch"
    any_size = False
    heavy = False
    kernels = None  # as a network of pictures: it gives layers
    tolerance = LIGHT

    def detect(self, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str | None:
        """By what the file says."""
        return "a retouch network" if metadata.get("architecture") == self.name else None

    def load(self, model: str, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> Descriptor:
        """Without settings: there is one such network."""
        network = Network(retouch.graph(), dict(arrays))

        def module() -> nn.Module:
            from gpen_live.nets.torch_graph import TorchGraph

            return TorchGraph.of(network)

        return Descriptor(network.graph.stride, memory=True, module=module, network=network)


RETOUCH: Final = Retouch()
