"""The identity network that training learns from: an ONNX file of plain convolutions, run in PyTorch so that gradients flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpen_live.faces.align import GPEN_TEMPLATE

_SIDE = 112
_ARCFACE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Where a 112 x 112 crop has eyes, nose and mouth corners (Deng et al., "ArcFace", CVPR 2019)."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Identity(nn.Module):
    """Embeds faces; the cosine of two embeddings tells whether they are of one person.

    Args:
        path: an ONNX file that takes 1,3,112,112 and consists of Conv, Clip, Relu, Add, Reshape, Flatten and Identity.

    Raises:
        ValueError: the file holds another operation.
    """

    def __init__(self, path: Path) -> None:
        import onnx
        from onnx import numpy_helper

        super().__init__()
        graph = onnx.load(str(path)).graph
        self._names: dict[str, str] = {}
        for index, tensor in enumerate(graph.initializer):
            if tensor.data_type != onnx.TensorProto.FLOAT:
                continue  # shapes
            self.register_buffer(f"w{index}", torch.from_numpy(numpy_helper.to_array(tensor).copy()))
            self._names[tensor.name] = f"w{index}"
        self._input = next(value.name for value in graph.input if value.name not in self._names)
        self._output = graph.output[0].name
        self._nodes: list[tuple[str, list[str], str, dict[str, Any]]] = []
        numbers = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        for node in graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                numbers[node.output[0]] = numpy_helper.to_array(attributes["value"])
                continue
            if node.op_type not in ("Conv", "Clip", "Relu", "Add", "Reshape", "Flatten", "Identity"):
                raise ValueError(f"{path} holds the operation {node.op_type}, which is not known here")
            if node.op_type == "Clip" and "min" not in attributes:
                attributes = {"min": float(numbers[node.input[1]]), "max": float(numbers[node.input[2]])}
            self._nodes.append((node.op_type, list(node.input), node.output[0], attributes))
        self.register_buffer("matrix", torch.tensor(_from_crop(), dtype=torch.float32))
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """GPEN-aligned crops N,3,S,S, RGB in [-1, 1], to embeddings N,128 of unit length."""
        matrix = self.get_buffer("matrix").expand(len(x), 2, 3)
        grid = F.affine_grid(matrix, [len(x), 3, _SIDE, _SIDE], align_corners=False)
        small = F.avg_pool2d(x, x.shape[-1] // 256) if x.shape[-1] >= 512 else x
        face = F.grid_sample(small, grid.to(x.dtype), mode="bilinear", padding_mode="border", align_corners=False)
        values = {self._input: ((face + 1) / 2 - self.get_buffer("mean").to(x.dtype)) / self.get_buffer("std").to(x.dtype)}
        for kind, inputs, output, attributes in self._nodes:
            known = (name for name in inputs if name in values or name in self._names)
            given = [values[name] if name in values else self.get_buffer(self._names[name]) for name in known]
            values[output] = _run(kind, given, attributes)
        return F.normalize(values[self._output].flatten(1).float(), dim=1)


def _from_crop() -> list[list[float]]:
    """The transform of `affine_grid` that takes ArcFace's crop to GPEN's, both in [-1, 1]: least squares over the landmarks."""
    import numpy as np

    source = np.asarray(_ARCFACE) / _SIDE * 2 - 1
    target = np.asarray(GPEN_TEMPLATE) * 2 - 1
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        values += [u, v]
    a, b, tx, ty = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    return [[a, -b, tx], [b, a, ty]]


def _run(kind: str, given: list[Tensor], attributes: dict[str, Any]) -> Tensor:
    if kind == "Conv":
        pads = attributes.get("pads", [0, 0, 0, 0])
        assert isinstance(pads, list)
        bias = given[2].to(given[0].dtype) if len(given) > 2 else None
        out: Tensor = F.conv2d(
            F.pad(given[0], (pads[1], pads[3], pads[0], pads[2])) if any(pads) else given[0],
            given[1].to(given[0].dtype),
            bias,
            stride=attributes.get("strides", [1, 1]),
            dilation=attributes.get("dilations", [1, 1]),
            groups=attributes.get("group", 1),
        )
        return out
    if kind == "Clip":
        return given[0].clamp(attributes["min"], attributes["max"])
    if kind == "Relu":
        return F.relu(given[0])
    if kind == "Add":
        return given[0] + given[1]
    if kind in ("Reshape", "Flatten"):
        return given[0].flatten(1)
    return given[0]
