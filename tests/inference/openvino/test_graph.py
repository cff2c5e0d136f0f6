"""Every kind of layer in OpenVINO against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gpen_live.inference.openvino.graph import build
from gpen_live.inference.openvino.network import compiled, core, library
from gpen_live.nets import layers
from gpen_live.nets.layers import Graph
from gpen_live.nets.quantised import Ranges
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


@pytest.mark.parametrize("ranges", [None, {"entry": (-4.0, 4.0)}], ids=["fp32", "int8"])
def test_tiles_of_several_pictures_are_convolved_where_they_lie(ranges: Ranges | None) -> None:
    """As a network with a memory of another size begins: nothing is copied to join them."""
    x, previous = layers.picture("x", 3), layers.picture("previous", 5)
    joined = layers.concatenate(layers.unshuffle(x, 4), layers.unshuffle(previous, 2))
    network = with_random_parameters(Graph("tiles", (x, previous), (layers.convolution("entry", joined, 8),)))
    model = build(library(), network, ranges)
    kinds = {node.get_type_name() for node in model.get_ops()}
    assert not kinds & {"SpaceToDepth", "Concat"}
    random = np.random.default_rng(3)
    inputs = [random.standard_normal(shape).astype(np.float32) for shape in ((2, 3, 16, 24), (2, 5, 8, 12))]
    request = compiled(core(), model, "fp32", 1)
    request.infer(dict(enumerate(inputs)))
    with torch.inference_mode():
        (wanted,) = TorchGraph.of(network).run(*(torch.from_numpy(each) for each in inputs))
    apart = np.abs(request.get_output_tensor(0).data - wanted.numpy())
    assert apart.max() < (1e-4 if ranges is None else 0.3 * float(wanted.std()))
