"""What holds on devices that are not here: Apple's GPU knows no float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gpen_live.engine.paths.canvas import DeviceCanvas
from gpen_live.faces.align import GPEN_TEMPLATE, to_template
from gpen_live.faces.detect import Detector, build_network, memory_format
from gpen_live.nets.gpen import Gpen
from gpen_live.nets.torch_lite import Lite

DEVICE = torch.device("meta")
"""Stands for a device: its tensors have shapes and types, and no values."""


class NoFloat64(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses float64 on the device, as Metal does."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[Any], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for value in tree_leaves(out):
            if isinstance(value, torch.Tensor) and value.device.type == DEVICE.type:
                self.seen += 1
                if value.dtype == torch.float64:
                    raise TypeError(f"{func} gives float64, which this device does not know")
        return out


def test_float64_is_noticed() -> None:
    with pytest.raises(TypeError, match="float64"), NoFloat64():
        torch.from_numpy(np.zeros(3)).to(DEVICE)


def test_frames_stay_in_what_the_device_knows() -> None:
    matrix = to_template((GPEN_TEMPLATE - 0.5) * 150 + np.array([160.0, 120.0]), 64)
    with NoFloat64() as watched, torch.inference_mode():
        canvas = DeviceCanvas(np.zeros((240, 320, 3), np.uint8), DEVICE)
        crop = canvas.crop(matrix, 64)
        assert crop.shape == (1, 3, 64, 64)
        canvas.blend(matrix, crop * float(np.float64(0.5)))
        canvas.blend_whole(canvas.whole())
    assert watched.seen > 20


def test_networks_and_detector_stay_in_what_the_device_knows() -> None:
    picture = torch.zeros(1, 3, 32, 32, device=DEVICE)
    light = Lite(shuffle=2, channels=[8, 8], encoder=[1, 1], decoder=[1], memory=True).to(DEVICE)
    heavy = Gpen(size=32, channel_multiplier=1, narrow=0.0625).to(DEVICE)
    with NoFloat64() as watched, torch.inference_mode():
        assert light(picture, picture).dtype == torch.float32
        assert heavy(picture).dtype == torch.float32
        detector = Detector(build_network(torch.device("cpu")), DEVICE)
        assert detector.candidates(torch.zeros(1, 3, 180, 320, device=DEVICE)).shape[1] == 15
    assert watched.seen > 100


def test_layouts() -> None:
    assert memory_format(torch.device("mps")) == torch.contiguous_format
    assert memory_format(torch.device("cuda:0")) == memory_format(torch.device("cpu")) == torch.channels_last
