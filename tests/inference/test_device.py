from __future__ import annotations

import ctypes
import importlib.metadata
import platform
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from gpen_live.errors import DeviceError, UsageError
from gpen_live.inference import device as devices
from gpen_live.inference.device import CPU, Device, check_device_name, choose_device, describe_device, exclusive, nvidia_cards
from gpen_live.messages import Message, message
from tests.messages.says import says

NO_KERNEL = "CUDA error: no kernel image is available for execution on the device"


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "cuda:0", "cuda:12", "mps"])
def test_good_names(name: str) -> None:
    check_device_name(name)


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:-1", "CPU", "cuda:0 ", "vulkan"])
def test_bad_names_say_what_is_allowed(name: str) -> None:
    with pytest.raises(UsageError, check=says("device.unknown", name=name)):
        check_device_name(name)


@pytest.mark.parametrize(("device", "name"), [(CPU, "cpu"), (Device("cuda"), "cuda:0"), (Device("cuda", 3), "cuda:3")])
def test_a_device_is_named_as_pytorch_names_it(device: Device, name: str) -> None:
    assert str(device) == name
    assert device.torch() == torch.device(name)


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cards that the driver and PyTorch list."""
    monkeypatch.setattr(devices, "may_have_card", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def too_old(listed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards for which the installed PyTorch has no kernels: all operations on them fail."""

    def broken(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError(f"{NO_KERNEL}\nmore")

    monkeypatch.setattr(torch, "ones", broken)


@pytest.mark.usefixtures("too_old")
def test_auto_leaves_a_card_that_fails_its_first_operation_and_says_so() -> None:
    notes: list[Message] = []
    assert choose_device("auto", notes) == CPU
    failed = message("device.first_operation", device="cuda:0", reason=NO_KERNEL)
    assert notes == [message("device.passed_over", cause=failed)]


@pytest.mark.usefixtures("too_old")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_named_device_that_fails_its_first_operation_is_refused(name: str) -> None:
    with pytest.raises(DeviceError, check=says("device.first_operation", reason=NO_KERNEL)):
        choose_device(name)


def test_auto_takes_apple_s_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "may_have_card", lambda: False)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(devices, "_prove", lambda device: None)
    assert choose_device("auto") == Device("mps")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert choose_device("auto") == CPU


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps"])
def test_a_gpu_that_is_not_there_is_refused_and_never_replaced(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, check=says("device.no_apple_gpu" if name == "mps" else "device.no_nvidia_gpu")):
        choose_device(name)


@pytest.mark.usefixtures("listed")
def test_a_card_number_that_is_not_there() -> None:
    with pytest.raises(DeviceError, check=says("device.absent", device="cuda:5", there="cuda:0, cuda:1")):
        choose_device("cuda:5")


def test_without_a_card_auto_is_the_processor_and_pytorch_stays_out() -> None:
    code = (
        "import sys\n"
        "from gpen_live.inference import device\n"
        "device.nvidia_cards = lambda: 0\n"
        "device.may_have_amd_card = device.may_have_apple_gpu = lambda: False\n"
        "for name in ('auto', 'cpu'):\n"
        "    chosen = device.choose_device(name)\n"
        "    device.synchronize(chosen)\n"
        "    print(device.describe_device(chosen), device.peak_memory_mb(chosen), 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert all(line.startswith("cpu (") and line.endswith("0.0 False") for line in lines)


class Driver:
    """NVIDIA's, below ctypes: what its functions return, and how many cards it lists."""

    def __init__(self, cards: int, *, init: int = 0, count: int = 0) -> None:
        self._cards, self._init, self._count = cards, init, count
        self.opened: list[str] = []

    def __call__(self, name: str) -> Driver:
        self.opened.append(name)
        return self

    def cuInit(self, flags: int) -> int:
        return self._init

    def cuDeviceGetCount(self, found: Any) -> int:
        ctypes.cast(found, ctypes.POINTER(ctypes.c_int))[0] = self._cards
        return self._count


@pytest.mark.parametrize(("system", "library"), [("win32", "nvcuda.dll"), ("linux", "libcuda.so.1")])
def test_the_driver_is_asked_for_its_cards(system: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    driver = Driver(2)
    assert nvidia_cards(driver) == 2
    assert driver.opened == [library]
    assert nvidia_cards(Driver(0)) == 0
    assert nvidia_cards(Driver(2, init=100)) == 0, "a driver without a card"
    assert nvidia_cards(Driver(2, count=3)) == 0


def test_a_driver_that_is_not_there_or_another_library_has_no_cards() -> None:
    def missing(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    assert nvidia_cards(missing) == 0
    assert nvidia_cards(lambda name: object()) == 0


def test_amd_s_cards_count_with_the_pytorch_that_knows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "kfd"
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.13.0+rocm7.1")
    assert not devices.may_have_amd_card(driver)
    driver.touch()
    assert devices.may_have_amd_card(driver)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.13.0+cu130")
    assert not devices.may_have_amd_card(driver)


def test_the_processor_is_named() -> None:
    assert describe_device(CPU).startswith("cpu (")


def used_by_another_thread(device: Device) -> bool:
    """Whether another thread gets to use the device while this one does."""
    used = threading.Event()

    def use() -> None:
        with exclusive(device):
            used.set()

    thread = threading.Thread(target=use)
    with exclusive(device), exclusive(device):  # a thread may enter again
        thread.start()
        beside = used.wait(0.2)
    thread.join(10)
    assert used.is_set(), "its turn came afterwards"
    return beside


def test_one_thread_at_a_time_uses_apple_s_gpu() -> None:
    assert not used_by_another_thread(Device("mps"))
    assert used_by_another_thread(Device("cuda"))
    assert used_by_another_thread(CPU)
