"""Every kind of layer in OpenVINO against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gpen_live.inference.openvino.graph import build
from gpen_live.inference.openvino.network import compiled, core, library
from gpen_live.nets.torch_graph import TorchGraph
from tests.nets.graphs import SHAPES, pictures, with_random_parameters


@pytest.mark.parametrize("name", SHAPES)
@torch.inference_mode()
def test_it_gives_what_pytorch_gives(name: str) -> None:
    make, shape = SHAPES[name]
    network = with_random_parameters(make())
    inputs = pictures(network.graph, shape)
    request = compiled(core(), build(library(), network), "fp32", 1)
    request.infer(dict(enumerate(inputs)))
    wanted = TorchGraph.of(network).run(*(torch.from_numpy(each) for each in inputs))
    assert len(wanted) == 2
    for index, output in enumerate(wanted):
        assert output.std() > 0.01
        np.testing.assert_allclose(request.get_output_tensor(index).data, output, rtol=1e-4, atol=1e-4)
