"""The face detector in OpenVINO, on processors: less than half of the time that PyTorch takes, the same faces (float32).

Imports torch at import time: import this module late.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gpen_live.faces.detect import decode, padded
from gpen_live.inference.openvino.network import Requests, library


class OpenVinoDetector:
    """Finds a face's candidates as `gpen_live.faces.detect.Detector.candidates` does. Each new shape is compiled first (0.1 s).

    Args:
        network: facexlib's RetinaFace (mobile0.25), its batch normalisations folded, giving logits: `Detector.network`. Copied.
        threads: how many it computes with.

    Raises:
        RuntimeMissingError: OpenVINO is missing. RuntimeError: it refuses the network, or the network is another one.
    """

    def __init__(self, network: nn.Module, *, threads: int) -> None:
        openvino = library()
        try:
            model = _Builder(openvino, network).model()
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise RuntimeError(f"this is no RetinaFace (mobile0.25): {error}") from error
        self._requests = Requests(model, "fp32", threads)

    def __call__(self, reduced: Tensor) -> Tensor:
        """The best-scored anchors: N x 15, float32, by falling score.

        Args:
            reduced: 1 x 3 x h x w, BGR, 0..255, on the CPU.

        Raises:
            RuntimeError: OpenVINO fails.
        """
        x = padded(reduced).contiguous()
        request = self._requests.of(tuple(x.shape))
        request.infer({0: x.numpy()}, share_inputs=True)
        boxes, classes, landmarks = (torch.from_numpy(request.get_output_tensor(i).data) for i in range(3))
        return decode(boxes, classes, landmarks, x.shape[-2], x.shape[-1])


class _Builder:
    """Mirrors the modules of facexlib's RetinaFace."""

    def __init__(self, openvino: Any, network: nn.Module) -> None:
        self.openvino, self.ops = openvino, openvino.opset13
        self.modules = dict(network.named_modules())

    def model(self) -> Any:
        """Boxes (1 x N x 4), classes (1 x N x 2) and landmarks (1 x N x 10) of a padded picture (1 x 3 x H x W)."""
        ops = self.ops
        picture = x = ops.parameter([1, 3, -1, -1], np.float32, name="x")
        stages = []
        for number in (1, 2, 3):
            x = self._run(self.modules[f"body.stage{number}"], x)
            stages.append(x)
        features = [self._context(f"ssh{number}", x) for number, x in enumerate(self._pyramid(stages), 1)]
        heads = [("BboxHead", 4), ("ClassHead", 2), ("LandmarkHead", 10)]
        return self.openvino.Model(
            [ops.result(self._head(name, width, features)) for name, width in heads], [picture], "detector"
        )

    def _pyramid(self, stages: list[Any]) -> list[Any]:
        fine, middle, coarse = (self._run(self.modules[f"fpn.output{i}"], stage) for i, stage in enumerate(stages, 1))
        middle = self._run(self.modules["fpn.merge2"], self.ops.add(middle, self._doubled(coarse)))
        fine = self._run(self.modules["fpn.merge1"], self.ops.add(fine, self._doubled(middle)))
        return [fine, middle, coarse]

    def _context(self, name: str, x: Any) -> Any:
        near = self._run(self.modules[f"{name}.conv3X3"], x)
        wide = self._run(self.modules[f"{name}.conv5X5_1"], x)
        wider = self._run(self.modules[f"{name}.conv7X7_2"], wide)
        parts = [near, self._run(self.modules[f"{name}.conv5X5_2"], wide), self._run(self.modules[f"{name}.conv7x7_3"], wider)]
        return self.ops.relu(self.ops.concat(parts, 1))

    def _head(self, name: str, width: int, features: list[Any]) -> Any:
        ops, rows = self.ops, []
        for number, x in enumerate(features):
            out = ops.transpose(self._run(self.modules[f"{name}.{number}.conv1x1"], x), np.array([0, 2, 3, 1], np.int64))
            rows.append(ops.reshape(out, np.array([1, -1, width], np.int64), special_zero=False))
        return ops.concat(rows, 1)

    def _doubled(self, x: Any) -> Any:
        """Sides are whole steps, so that the finer level has exactly twice the pixels: each one four times is nearest."""
        return self.ops.interpolate(
            x,
            np.array([2.0, 2.0], np.float32),
            "nearest",
            "scales",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
            axes=np.array([2, 3], np.int64),
        )

    def _run(self, module: nn.Module, x: Any) -> Any:
        if isinstance(module, nn.Sequential):
            for inner in module:
                x = self._run(inner, x)
            return x
        if isinstance(module, nn.Identity):
            return x
        if isinstance(module, nn.LeakyReLU):
            return self.ops.prelu(x, self.ops.constant(np.array([module.negative_slope], np.float32)))
        if isinstance(module, nn.Conv2d):
            return self._convolved(module, x)
        raise TypeError(f"a {type(module).__name__} in it")

    def _convolved(self, module: nn.Conv2d, x: Any) -> Any:
        weight = module.weight.detach().float().contiguous().numpy()
        convolve = self.ops.convolution
        if module.groups > 1:
            convolve = self.ops.group_convolution
            weight = weight.reshape(module.groups, weight.shape[0] // module.groups, *weight.shape[1:])
        pad = [int(side) for side in module.padding]
        out = convolve(x, self.ops.constant(weight), list(module.stride), pad, pad, [1, 1])
        if module.bias is None:
            return out
        return self.ops.add(out, self.ops.constant(module.bias.detach().float().numpy().reshape(1, -1, 1, 1)))
