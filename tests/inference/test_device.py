from __future__ import annotations

import pytest
import torch

from gpen_live.errors import DeviceError, UsageError
from gpen_live.inference.device import check_device_name, choose_device, describe_device


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "cuda:0", "cuda:12", "mps"])
def test_good_names(name: str) -> None:
    check_device_name(name)


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:-1", "CPU", "cuda:0 ", "vulkan"])
def test_bad_names_say_what_is_allowed(name: str) -> None:
    with pytest.raises(UsageError, match="Allowed are auto, cpu, cuda"):
        check_device_name(name)


def test_auto_without_a_gpu_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps"])
def test_a_gpu_that_is_not_there_is_refused_and_never_replaced(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="--device cpu"):
        choose_device(name)


def test_a_card_number_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(DeviceError, match="cuda:0 to cuda:1"):
        choose_device("cuda:5")


def test_a_device_that_fails_its_first_operation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError("no kernel image is available\nfor execution")

    monkeypatch.setattr(torch.nn.functional, "conv2d", broken)
    with pytest.raises(DeviceError, match="no kernel image is available"):
        choose_device("cpu")


def test_the_cpu_is_named() -> None:
    assert describe_device(torch.device("cpu")).startswith("cpu (")
