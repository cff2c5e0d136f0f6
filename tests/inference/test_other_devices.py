"""What holds on devices that are not here: Apple's GPU knows no float64, and bears one thread at a time."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gpen_live.engine.paths.torch_canvas import DeviceCanvas
from gpen_live.faces.align import GPEN_TEMPLATE, to_template
from gpen_live.inference.device import CPU, Device
from gpen_live.inference.enhancer import Enhancer
from gpen_live.inference.torch_detector import TorchDetector, memory_format
from gpen_live.models.registry import get
from gpen_live.nets.gpen import Gpen
from gpen_live.nets.torch_lite import Lite
from gpen_live.training.facexlib_network import as_network, build_network

DEVICE = torch.device("meta")
"""Stands for a device: its tensors have shapes and types, and no values."""


class Meta(Device):
    """The same as a device of the product's."""

    def torch(self) -> torch.device:
        return DEVICE


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
        moved = canvas.field(matrix, torch.zeros(2, 64, 64, device=DEVICE))
        assert moved is not None
        canvas.displace([moved])
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
        detector = TorchDetector(as_network(build_network(torch.device("cpu"))), Meta("mps"))
        assert detector.candidates(torch.zeros(1, 3, 180, 320, device=DEVICE)).shape[1] == 15
    assert watched.seen > 100


def test_layouts() -> None:
    assert memory_format(Device("mps")) == torch.contiguous_format
    assert memory_format(Device("cuda")) == memory_format(CPU) == torch.channels_last


class OneThread(Device):
    """In place of Apple's GPU: computes on the processor."""

    def torch(self) -> torch.device:
        return torch.device("cpu")


class Fragile(torch.nn.Module):
    """Notices when two threads use it at the same time."""

    stride = 32

    def __init__(self) -> None:
        super().__init__()
        self.users = 0
        self.most = 0

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        self.users += 1
        self.most = max(self.most, self.users)
        time.sleep(0.002)
        self.users -= 1
        return pictures


def test_loading_and_frames_take_turns_on_apple_s_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    device, network = OneThread("mps"), Fragile()
    spec = dataclasses.replace(get("lite-256"), size=32)
    live = Enhancer(network, spec, device)

    def load() -> None:
        for _ in range(5):
            Enhancer(network, spec, device).warm_up()

    frames = 0
    with ThreadPoolExecutor(1) as threads:
        loading = threads.submit(load)
        while not loading.done():
            live(torch.zeros(1, 3, 32, 32))
            frames += 1
        loading.result()
    assert frames > 1, "frames go on while a network is loaded"
    assert network.most == 1
