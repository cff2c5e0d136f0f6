"""Every kind of layer in OpenVINO against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gpen_live.inference.openvino.graph import build
from gpen_live.inference.openvino.network import compiled, core, library
from gpen_live.nets.layers import Graph
from gpen_live.nets.torch_graph import TorchGraph
from tests.nets.graphs import SHAPES, pictures, random_graph, with_random_parameters


@pytest.mark.parametrize("name", SHAPES)
def test_it_gives_what_pytorch_gives(name: str) -> None:
    make, shape = SHAPES[name]
    compare(make(), shape)


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs_give_what_pytorch_gives(seed: int) -> None:
    compare(random_graph(seed), (2, 16, 24))


@torch.inference_mode()
def compare(graph: Graph, shape: tuple[int, int, int]) -> None:
    network = with_random_parameters(graph)
    inputs = pictures(graph, shape)
    request = compiled(core(), build(library(), network), "fp32", 1)
    request.infer(dict(enumerate(inputs)))
    wanted = TorchGraph.of(network).run(*(torch.from_numpy(each) for each in inputs))
    assert len(wanted) == 2
    for index, output in enumerate(wanted):
        np.testing.assert_allclose(request.get_output_tensor(index).data, output, rtol=1e-4, atol=1e-4)
