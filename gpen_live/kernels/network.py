"""Networks that enhance pictures, through Triton on graphics cards. Imports torch and triton: import this module late."""

from __future__ import annotations

import torch
from torch import Tensor

from gpen_live.kernels.graph import TritonGraph
from gpen_live.kernels.lite import patterns
from gpen_live.kernels.lite_tiles import Choose, usual_tile
from gpen_live.nets.layers import Graph, Network, add


class TritonNetwork:
    """A network that says what is to be added to its picture, with that sum, as fused kernels; see `TritonGraph`.

    It takes pictures and, where it has a memory, the ones before, and gives enhanced pictures: N x 3 x H x W, float32 RGB, about
    [-1, 1], on the device; sides multiples of the network's stride.

    Args:
        network: its parameters are copied.
        dtype: of features and weights: float16, bfloat16, or float32 (exact, and slow). Sums are float32, and so is the one with
            the picture: what is clean loses nothing.
        device: a graphics card; the CPU where Triton's interpreter is on, which is for tests.
        choose: the tiles of a light network's layers.

    Raises:
        RuntimeError: the card can't run the network this way.
    """

    def __init__(self, network: Network, dtype: torch.dtype, device: torch.device, *, choose: Choose = usual_tile) -> None:
        graph = network.graph
        (change,) = graph.outputs
        self._memory = len(graph.inputs) > 1
        enhanced = Graph(graph.name, graph.inputs, (add(graph.inputs[0], change),))
        self._graph = TritonGraph(Network(enhanced, network.weights), dtype, device, patterns=patterns(choose))

    def __call__(self, pictures: Tensor, previous: Tensor | None = None) -> Tensor:
        """The enhanced pictures, not clamped; `previous`: the ones before, None: `pictures` themselves.

        Raises:
            RuntimeError: pictures of another kind or too large, or the card refuses a kernel.
        """
        before = pictures if previous is None else previous
        (out,) = self._graph(*((pictures, before) if self._memory else (pictures,)))
        return out
