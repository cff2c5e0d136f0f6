"""The identity network that training learns from: a file of plain convolutions, run in PyTorch so that gradients flow."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpen_live.facedata.arcface import ARCFACE, MEAN, SIDE, STD
from gpen_live.faces.align import GPEN_TEMPLATE, similarity
from gpen_live.inference.openvino.network import library


class Identity(nn.Module):
    """Embeds faces; the cosine of two embeddings tells whether they are of one person.

    Args:
        path: an ONNX file (or another that OpenVINO reads) that takes 1,3,112,112, RGB with ImageNet's mean and deviation, and
            consists of convolutions, clamps, ReLUs, sums and reshapes.

    Raises:
        RuntimeMissingError: OpenVINO is missing. ValueError: the file holds another operation.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._steps: list[tuple[str, str, list[str], dict[str, Any]]] = []
        self._output = ""
        for index, node in enumerate(_operations(path)):
            kind, name = node.get_type_name(), node.get_friendly_name()
            inputs = [value.get_node().get_friendly_name() for value in node.input_values()]
            if kind == "Constant":
                data = node.get_data()
                if data.dtype.kind == "f":
                    self.register_buffer(f"constant{index}", torch.from_numpy(np.array(data, np.float32)))
                    self._steps.append((kind, name, [f"constant{index}"], {}))
            elif kind == "Result":
                self._output = inputs[0]
            elif kind in _KINDS:
                self._steps.append((kind, name, inputs, dict(node.get_attributes())))
            else:
                raise ValueError(f"{path} holds the operation {kind}, which is not known here")
        # What `affine_grid` wants: from ArcFace's crop to GPEN's, both in [-1, 1].
        self.register_buffer(
            "matrix", torch.tensor(similarity(ARCFACE / SIDE * 2 - 1, GPEN_TEMPLATE * 2 - 1), dtype=torch.float32)
        )
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """GPEN-aligned crops N,3,S,S, RGB in [-1, 1], to embeddings of unit length, N,D."""
        matrix = self.get_buffer("matrix").expand(len(x), 2, 3)
        grid = F.affine_grid(matrix, [len(x), 3, SIDE, SIDE], align_corners=False)
        small = F.avg_pool2d(x, x.shape[-1] // 256) if x.shape[-1] >= 512 else x
        face = F.grid_sample(small, grid.to(x.dtype), mode="bilinear", padding_mode="border", align_corners=False)
        shown = ((face + 1) / 2 - self.get_buffer("mean").to(x.dtype)) / self.get_buffer("std").to(x.dtype)
        values: dict[str, Tensor] = {}
        for kind, name, inputs, attributes in self._steps:
            if kind == "Parameter":
                values[name] = shown
            elif kind == "Constant":
                values[name] = self.get_buffer(inputs[0]).to(x.dtype)
            else:
                values[name] = _run(kind, [values[each] for each in inputs if each in values], attributes)
        return F.normalize(values[self._output].flatten(1).float(), dim=1)


_KINDS = {"Parameter", "Convolution", "GroupConvolution", "Add", "Multiply", "Clamp", "Maximum", "Minimum", "Relu", "Reshape"}


def _operations(path: Path) -> list[Any]:
    """What the network does for one face, in order, without what only reckons shapes."""
    openvino = library()
    passes = importlib.import_module("openvino.passes")
    model = openvino.Core().read_model(str(path))
    model.reshape([1, 3, SIDE, SIDE])
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)
    operations: list[Any] = model.get_ordered_ops()
    return operations


def _run(kind: str, given: list[Tensor], attributes: dict[str, Any]) -> Tensor:
    x, rest = given[0], given[1:]
    if kind in ("Convolution", "GroupConvolution"):
        weight, groups = rest[0], 1
        if kind == "GroupConvolution":
            groups, weight = len(weight), weight.flatten(0, 1)
        (top, left), (bottom, right) = attributes["pads_begin"], attributes["pads_end"]
        strides, dilations = list(attributes["strides"]), list(attributes["dilations"])
        out: Tensor = F.conv2d(F.pad(x, (left, right, top, bottom)), weight, None, strides, 0, dilations, groups)
        return out
    if kind == "Clamp":
        return x.clamp(float(attributes["min"]), float(attributes["max"]))
    if kind == "Relu":
        return F.relu(x)
    if kind == "Add":
        return x + rest[0]
    if kind in ("Maximum", "Minimum"):
        return (torch.maximum if kind == "Maximum" else torch.minimum)(x, rest[0])
    if kind == "Multiply":
        return x * rest[0]
    return x.flatten(1)
