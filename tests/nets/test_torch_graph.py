"""Graphs in PyTorch: names, order and initial values of the parameters, training, and copies."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from gpen_live.nets.layers import Graph, convolution, picture, relu
from gpen_live.nets.torch_graph import TorchGraph, arrays, network, tensors
from gpen_live.nets.torch_lite import lite_256
from tests.nets.graphs import SHAPES, pictures, with_random_parameters


def test_parameters_have_the_graph_s_names_and_shapes() -> None:
    for make, _ in SHAPES.values():
        module = TorchGraph(make())
        assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == make().parameters


def test_numbered_parts_are_in_the_order_of_their_numbers() -> None:
    """Checkpoints hold an optimiser's state by the parameters' places."""
    names = list(lite_256().state_dict())
    parts = ("entry", "encoder.0", "encoder.3.1", "down.0", "down.2", "fuse.0", "fuse.2", "decoder.0", "decoder.2", "exit")
    places = [next(place for place, name in enumerate(names) if name.startswith(part)) for part in parts]
    assert places == sorted(places)


def test_layers_start_as_pytorch_s_do_and_at_zero_where_asked() -> None:
    x = picture("x", 3)
    y = convolution("b", relu(convolution("a", x, 4, kernel=3)), 4, starts_at_zero=True)
    torch.manual_seed(0)
    made = TorchGraph(Graph("two", (x,), (y,))).state_dict()
    torch.manual_seed(0)
    plain = nn.Conv2d(3, 4, 3)
    assert torch.equal(made["a.weight"], plain.weight)
    assert plain.bias is not None
    assert torch.equal(made["a.bias"], plain.bias)
    assert not made["b.weight"].any()
    assert not made["b.bias"].any()


@pytest.mark.parametrize("name", SHAPES)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    make, shape = SHAPES[name]
    given = with_random_parameters(make())
    module = TorchGraph(given.graph)
    module.load_state_dict(tensors(given.weights))
    outputs = module.run(*(torch.from_numpy(each) for each in pictures(given.graph, shape)))
    torch.stack([output.square().sum() for output in outputs]).sum().backward()  # type: ignore[no-untyped-call]
    for parameter_name, parameter in module.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert bool(parameter.grad.any()), parameter_name


def test_a_copy_has_parameters_of_its_own() -> None:
    module = TorchGraph.of(with_random_parameters(SHAPES["mesh"][0]()))
    inputs = [torch.from_numpy(each) for each in pictures(module.graph, (1, 32, 32))]
    before = module.run(*inputs)
    other = copy.deepcopy(module).to(torch.bfloat16)
    for parameter in other.parameters():
        parameter.zero_()
    assert not other.run(*inputs)[0].any()
    for again, one in zip(module.run(*inputs), before, strict=True):
        assert torch.equal(again, one)


def test_parameters_go_to_arrays_and_back() -> None:
    given = with_random_parameters(SHAPES["retouch"][0]())
    back = network(TorchGraph.of(given))
    assert back.graph is given.graph
    for name, values in given.weights.items():
        np.testing.assert_array_equal(back.weights[name], values)
    assert arrays(TorchGraph.of(given).to(torch.bfloat16))["mix.weight"].dtype == np.float32
