"""Networks from their files on a processor: which ways they find to run, and what they tell about those that they lack."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpen_live.inference import host
from gpen_live.inference.device import CPU
from gpen_live.inference.host import HostEnhancer
from gpen_live.inference.loading import load_enhancer
from gpen_live.models.files import read_arrays
from gpen_live.models.loading import load
from gpen_live.models.registry import get, locate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One thread, little time, nothing remembered."""
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path))
    monkeypatch.setattr("gpen_live.inference.autotune_cpu.psutil.cpu_count", lambda logical: 1)
    monkeypatch.setattr(host, "_HASTY_S", 0.01)
    monkeypatch.setattr(host, "_PATIENT_S", 0.01)


def loaded(name: str, weights: Path | None = None, *, thorough: bool = False) -> HostEnhancer:
    found = load_enhancer(name, weights, CPU, thorough=thorough)
    assert isinstance(found, HostEnhancer)
    return found


def kinds(one: HostEnhancer) -> set[tuple[str, str]]:
    return {(c.runtime, c.precision) for c in one.candidates}


def test_the_shipped_network_measures_8_bits_too() -> None:
    one = loaded("lite-256")
    assert kinds(one) >= {("OpenVINO", "fp32"), ("OpenVINO", "int8")}
    assert {runtime for runtime, _ in kinds(one)} == {"OpenVINO"}
    (winner,) = (c for c in one.candidates if c.chosen)
    assert (one.runtime, one.precision, one.threads) == (winner.runtime, winner.precision, winner.threads)
    assert (one.size, one.stride, one.memory, one.notes) == (256, 32, True, [])
    for shape in ((2, 3, 256, 256), (1, 3, 64, 96)):
        assert one(np.zeros(shape, np.float32)).shape == shape


def test_a_thorough_look_has_pytorch_for_comparison() -> None:
    one = loaded("lite-256", thorough=True)
    assert kinds(one) >= {("OpenVINO", "fp32"), ("OpenVINO", "int8"), ("PyTorch", "fp32")}
    plain = next(c for c in one.candidates if (c.runtime, c.precision) == ("PyTorch", "fp32"))
    assert plain.error_max < 0.01, "the same picture"


def test_8_bits_by_name_are_8_bits() -> None:
    one = loaded("lite-256-int8")
    assert (one.runtime, one.precision) == ("OpenVINO", "int8")


@pytest.mark.parametrize("name", ["lite-256", "lite-256-int8"])
def test_without_openvino_pytorch_remains_and_a_note_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    one = loaded(name)
    assert one.runtime == "PyTorch"
    assert {runtime for runtime, _ in kinds(one)} == {"PyTorch"}
    assert [note.id for note in one.notes] == ["runtime.no_openvino"]
    assert one(np.zeros((1, 3, 256, 256), np.float32)).shape == (1, 3, 256, 256)


def test_other_weights_do_not_get_the_shipped_8_bits(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    other = tmp_path / "other.safetensors"
    arrays, metadata = read_arrays(locate(get("lite-256")))
    save_file({**arrays, "exit.bias": arrays["exit.bias"] + np.float32(0.01)}, other, metadata)
    one = loaded("lite-256", other)
    assert ("OpenVINO", "fp32") in kinds(one)
    assert "int8" not in {precision for _, precision in kinds(one)}


def test_without_the_8_bit_file_a_note_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = locate(get("lite-256"))
    monkeypatch.setattr("gpen_live.models.registry.shipped_folder", lambda: tmp_path)
    one = loaded("lite-256", here)
    assert "int8" not in {precision for _, precision in kinds(one)}
    assert [note.id for note in one.notes] == ["network.without_eight_bits"]
    assert "lite-256-int8" in one.notes[0].what


@pytest.mark.parametrize("name", ["lite-256", "lite-512"])
def test_in_float32_the_picture_is_pytorch_s(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the level: 8 bits a colour come out the same."""
    import torch

    from tests.engine.portraits import portrait

    monkeypatch.setattr("gpen_live.inference.loading.computes_in_bf16", lambda: False)
    monkeypatch.setattr("gpen_live.inference.loading.load_quantised", lambda spec, path: None)
    one, size = loaded(name), get(name).size
    assert kinds(one) == {("OpenVINO", "fp32")}
    crop = np.ascontiguousarray(portrait(size, size)[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32) / 127.5 - 1
    network = load(get(name), locate(get(name))).module()
    with torch.inference_mode():
        expected = network(torch.from_numpy(crop), torch.from_numpy(crop)).clamp(-1, 1).numpy()
    apart = np.abs(np.rint(one(crop, crop) * 127.5) - np.rint(expected * 127.5))
    assert np.abs(one(crop, crop) - expected).max() * 127.5 < 0.02
    assert (apart > 0).mean() < 1e-3  # where a value lies half-way between two levels, rounding decides


def test_on_a_processor_networks_and_detector_load_without_pytorch() -> None:
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from gpen_live.inference.device import CPU\n"
        "from gpen_live.inference.loading import load_detector, load_enhancer\n"
        "load_enhancer('lite-256', None, CPU)(np.zeros((1, 3, 256, 256), np.float32))\n"
        "load_detector(CPU).detect(np.zeros((180, 320, 3), np.uint8))\n"
        "print(sorted({'torch', 'torchvision', 'facexlib', 'scipy', 'skimage', 'basicsr'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
