"""Weights files: good ones load, and each kind of bad one gives a sentence that names it. Nothing in a file ever runs."""

from __future__ import annotations

import json
import os
import pickle
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from gpen_live.errors import WeightsError
from gpen_live.messages import message
from gpen_live.models import files, loading
from gpen_live.models.architectures import ALL
from gpen_live.models.registry import get, locate
from gpen_live.nets.gpen import Gpen
from gpen_live.nets.gpen_variants import VARIANTS
from gpen_live.nets.torch_lite import Lite, lite_256
from tests.messages.says import holds, says

SPEC = get("gpen-256")
STATE = {"weight": torch.arange(600.0).reshape(20, 30), "bias": torch.ones(20)}


@pytest.fixture(scope="module")
def gpen_256(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the authors of GPEN would publish it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "GPEN-BFR-256.pth"
    torch.save(Gpen(**VARIANTS["gpen-256"]).state_dict(), path)
    return path


class Malicious:
    """Unpickling it makes a folder."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.trace),)


def refusal(path: Path) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        files.read_arrays(path)
    assert str(path) in caught.value.what
    assert caught.value.remedy
    return caught.value


def assert_holds(path: Path, state: Mapping[str, Tensor]) -> None:
    arrays, _ = files.read_arrays(path)
    torch.testing.assert_close({name: torch.from_numpy(values) for name, values in arrays.items()}, dict(state), rtol=0, atol=0)


def save_legacy(state: object, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


def save_safetensors(state: dict[str, Tensor], path: Path) -> None:
    save_file(state, path)


@pytest.mark.parametrize("save", [torch.save, save_legacy, save_safetensors])
def test_formats(save: Callable[[dict[str, Tensor], Path], None], tmp_path: Path) -> None:
    save(STATE, tmp_path / "weights")
    assert_holds(tmp_path / "weights", STATE)


@pytest.mark.parametrize(
    "wrapped",
    [
        {"params": STATE},
        {"g_ema": STATE, "args": {"size": 256}},
        {"params": {"weight": torch.zeros(1)}, "params_ema": STATE},
        {"state_dict": {f"module.{name}": value for name, value in STATE.items()}, "epoch": 3},
    ],
)
def test_trainers_wrappings(wrapped: object, tmp_path: Path) -> None:
    torch.save(wrapped, tmp_path / "wrapped.pth")
    assert_holds(tmp_path / "wrapped.pth", STATE)


def test_half_precision_is_widened_and_integers_stay(tmp_path: Path) -> None:
    values = torch.tensor([[1.5, -3e-5], [0.1, 100.0]])
    kinds = {"half": torch.float16, "brain": torch.bfloat16, "double": torch.float64, "bytes": torch.int8, "count": torch.int64}
    path = tmp_path / "half.safetensors"
    save_file({name: values.to(kind) for name, kind in kinds.items()}, path)
    torch.save({name: values.to(kind) for name, kind in kinds.items()}, tmp_path / "half.pth")
    wide = {**kinds, **dict.fromkeys(("half", "brain", "double"), torch.float32)}
    for written in (path, tmp_path / "half.pth"):
        assert_holds(written, {name: values.to(kinds[name]).to(kind) for name, kind in wide.items()})


def test_missing_and_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing.pth").message == message("weights.missing", path=tmp_path / "missing.pth")
    assert refusal(tmp_path).message == message("weights.folder", path=tmp_path)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"", "weights.empty"),
        (b"\x93\x00garbage" * 40, "weights.not_weights"),
        (b"<!DOCTYPE html><html>404</html>", "weights.web_page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "weights.git_lfs"),
        (pickle.dumps([1, 2, 3]), "weights.damaged"),
        (struct.pack("<Q", 10) + b"{not json}", "weights.damaged"),
    ],
)
def test_what_is_no_weights_file(content: bytes, key: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    assert refusal(path).message == message(key, path=path)


@pytest.mark.parametrize("save", [torch.save, save_legacy, save_safetensors])
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.98])
def test_truncated(save: Callable[[dict[str, Tensor], Path], None], kept: float, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    save(STATE, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert refusal(path).message.id == "weights.damaged"


@pytest.mark.parametrize("content", [[1, 2], {}, {"epoch": 3}, {"weight": torch.zeros(2), "epoch": 3}, torch.zeros(3)])
def test_no_state_dict(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pth")
    assert refusal(tmp_path / "other.pth").message.id == "weights.no_state"


def write_pickle(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize("save", [torch.save, save_legacy, write_pickle])
def test_code_is_refused_and_never_run(save: Callable[[object, Path], None], tmp_path: Path) -> None:
    trace = tmp_path / "it-ran"
    path = tmp_path / "malicious.pth"
    save({"weight": torch.zeros(2), "bias": Malicious(trace)}, path)
    assert refusal(path).message.id == "weights.code"
    assert not trace.exists()
    with path.open("rb") as file:  # the file is a real one: a naive reader would have run it
        torch.load(file, weights_only=False) if save is not write_pickle else pickle.load(file)
    assert trace.is_dir()


def test_whole_modules_are_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "module.pth")
    assert refusal(tmp_path / "module.pth").message.id == "weights.code"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(value: float, tmp_path: Path) -> None:
    torch.save(STATE | {"bias": torch.tensor([0.0, value])}, tmp_path / "nan.pth")
    assert holds(refusal(tmp_path / "nan.pth").message, "weights.not_finite", name="bias")
    save_file({"weight": torch.zeros(3), "brain": torch.tensor([value], dtype=torch.bfloat16)}, tmp_path / "nan.safetensors")
    assert holds(refusal(tmp_path / "nan.safetensors").message, "weights.not_finite", name="brain")


def test_types_that_no_array_has(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(3).to(torch.float8_e4m3fn)}, tmp_path / "eighth.safetensors")
    with pytest.raises(WeightsError, check=says("weights.not_plain", name="weight")):
        files.read_arrays(tmp_path / "eighth.safetensors")


def test_gpen_is_loaded_into_its_module(gpen_256: Path) -> None:
    net = loading.load(SPEC, gpen_256).module()
    assert isinstance(net, Gpen)
    assert not net.training
    assert not any(parameter.is_meta or parameter.requires_grad for parameter in net.parameters())
    assert_holds(gpen_256, net.state_dict())
    with torch.inference_mode():
        assert bool(torch.isfinite(net(torch.zeros(1, 3, 256, 256))).all())


def test_another_size_is_named(gpen_256: Path) -> None:
    with pytest.raises(WeightsError, check=says("weights.other_model", held="GPEN-256", title="GPEN-512", model="gpen-256")):
        loading.load(get("gpen-512"), gpen_256)


@pytest.mark.parametrize(
    ("sign", "title"),
    [("ClassHead.0.conv1x1.weight", "face detector"), ("final_conv.0.weight", "discriminator"), ("conv_first.weight", "super")],
)
def test_other_networks_are_named(sign: str, title: str, tmp_path: Path) -> None:
    torch.save({sign: torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=rf"other\.pth holds a.*{title}.*, not GPEN-256"):
        loading.load(SPEC, tmp_path / "other.pth")


def test_unknown_networks_are_refused(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth does not fit GPEN-256: .* is missing"):
        loading.load(SPEC, tmp_path / "other.pth")


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"final_linear.0.bias": None}, r"final_linear\.0\.bias is missing"),
        ({"final_linear.1.bias": torch.zeros(2)}, r"final_linear\.1\.bias is left over"),
        ({"final_linear.0.bias": torch.zeros(2)}, "other shapes"),
    ],
)
def test_strict_by_names_and_shapes(change: dict[str, Tensor | None], detail: str, gpen_256: Path, tmp_path: Path) -> None:
    held = {name: torch.from_numpy(values) for name, values in files.read_arrays(gpen_256)[0].items()}
    state = {name: value for name, value in (held | change).items() if value is not None}
    torch.save(state, tmp_path / "changed.pth")
    with pytest.raises(WeightsError, match=rf"changed\.pth does not fit GPEN-256: .*{detail}"):
        loading.load(SPEC, tmp_path / "changed.pth")


def test_lite_is_built_from_the_settings_in_its_file(tmp_path: Path) -> None:
    net, path, spec = lite_256(), tmp_path / "lite.safetensors", get("lite-256")
    save_file(net.state_dict(), path, metadata={"architecture": "lite", "settings": json.dumps(net.settings)})
    descriptor = loading.load(spec, path)
    loaded = descriptor.module()
    assert isinstance(loaded, Lite)
    assert (descriptor.stride, descriptor.memory) == (loaded.stride, loaded.memory) == (32, True)
    torch.testing.assert_close(loaded.state_dict(), net.state_dict(), rtol=0, atol=0)
    for metadata in ({}, {"settings": "{"}, {"settings": "[]"}, {"settings": '{"shuffle": 2}'}):
        save_file(net.state_dict(), path, metadata=metadata)
        with pytest.raises(WeightsError, check=says("weights.unfit", title="Lite 256")):
            loading.load(spec, path)


def test_check_finds_a_flipped_bit(gpen_256: Path, tmp_path: Path) -> None:
    loading.check(SPEC, gpen_256)
    content = bytearray(gpen_256.read_bytes())
    content[len(content) // 2] ^= 1
    flipped = tmp_path / "flipped.pth"
    flipped.write_bytes(content)
    loading.load(SPEC, flipped)  # torch reads it without a word
    with pytest.raises(WeightsError, check=says("weights.damaged")):
        loading.check(SPEC, flipped)


def test_check_of_the_detector(gpen_256: Path, tmp_path: Path) -> None:
    loading.check(get("detector"), locate(get("detector")))
    path = tmp_path / "detector.safetensors"
    save_file({"ClassHead.0.conv1x1.weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, check=says("weights.unfit", title="Face detector")):
        loading.check(get("detector"), path)
    with pytest.raises(WeightsError, check=says("weights.other_model", held="GPEN-256", title="Face detector")):
        loading.check(get("detector"), gpen_256)


def test_each_architecture_detects_its_own_files(gpen_256: Path) -> None:
    held = {"lite": locate(get("lite-512")), "detector": locate(get("detector")), "gpen": gpen_256}
    for name, path in held.items():
        found = [architecture.name for architecture in ALL if architecture.detect(*files.read_arrays(path))]
        assert found == [name]
    with pytest.raises(WeightsError, check=says("weights.other_network", held="a light network", title="GPEN-256")):
        loading.load(SPEC, held["lite"])


def test_reading_from_another_thread(gpen_256: Path) -> None:
    """Models load in the background; the process-wide default device must not leak into that thread or out of it."""
    networks: list[nn.Module] = []
    thread = threading.Thread(target=lambda: networks.append(loading.load(SPEC, gpen_256).module()))
    thread.start()
    thread.join()
    assert networks[0](torch.zeros(1, 3, 256, 256)).device.type == "cpu"
    assert torch.get_default_device().type == "cpu"
