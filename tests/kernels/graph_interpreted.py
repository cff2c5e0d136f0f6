"""Runs graphs of every kind of layer in Triton's interpreter, which must be on before Triton is imported: a process of its own.

Prints a line of JSON per output: the graph's name, its arithmetic, the output's shape and the one that PyTorch gives, and by how
much they differ at most.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial

os.environ["TRITON_INTERPRET"] = "1"

import torch

from gpen_live.kernels.graph import TritonGraph
from gpen_live.nets import lite, retinaface
from gpen_live.nets.layers import Graph
from gpen_live.nets.torch_graph import TorchGraph
from tests.nets.graphs import SHAPES, pictures, random_graph, with_random_parameters

SMALL = {"shuffle": 2, "channels": [20, 40], "encoder": [1, 1], "decoder": [1], "kernel": 3, "expansion": 3, "memory": True}
RANDOM = {f"random {seed}": (partial(random_graph, seed), (1, 16, 24)) for seed in range(6)}
CASES: dict[str, tuple[Callable[[], Graph], tuple[int, int, int]]] = {
    **SHAPES,
    **RANDOM,
    "lite": (lambda: lite.graph(SMALL), (2, 12, 20)),
    "retinaface": (retinaface.graph, (1, 32, 32)),
}


@torch.inference_mode()
def main() -> None:
    torch.use_deterministic_algorithms(True)  # fills new tensors with NaN: what is read before it is written shows
    for name, (make, shape) in CASES.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        network = with_random_parameters(make())
        inputs = [torch.from_numpy(each) for each in pictures(network.graph, shape)]
        wanted = TorchGraph.of(network).run(*inputs)
        for dtype in (torch.float32, torch.float16) if name in SHAPES else (torch.float32,):
            for found, want in zip(TritonGraph(network, dtype, torch.device("cpu"))(*inputs), wanted, strict=True):
                apart = float((found - want).abs().max() / want.abs().max())
                print(json.dumps([name, str(dtype), list(found.shape), list(want.shape), apart, str(found.dtype)]), flush=True)


if __name__ == "__main__":
    main()
