"""OpenVINO's pictures against PyTorch's, on what looks like a webcam's face."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from skimage import data

from gpen_live.facedata.degrade import ladder
from gpen_live.inference.openvino.network import OpenVinoNetwork, RuntimeMissingError, library
from gpen_live.models.loading import load, load_quantised
from gpen_live.models.registry import get, locate
from gpen_live.nets.quantised import Quantised, lite_convolutions
from gpen_live.nets.torch_graph import network as as_network
from gpen_live.nets.torch_lite import Lite
from gpen_live.training.quantise import calibrate

ROOT = Path(__file__).resolve().parents[2]
SPEC = get("lite-256")


def face(level: float) -> torch.Tensor:
    picture = torch.from_numpy(data.astronaut()[0:256, 96:352].copy()).permute(2, 0, 1)[None] / 255
    return ladder(picture, level, torch.Generator().manual_seed(0)) * 2 - 1


@cache
def shipped() -> Lite:
    network = load(SPEC, locate(SPEC)).module()
    assert isinstance(network, Lite)
    return network


@cache
def eight_bits() -> Quantised:
    quantised = load_quantised(SPEC, locate(SPEC))
    assert quantised is not None, "quantise weights/lite-256.safetensors anew: it is not what the 8-bit file was made of"
    return quantised


def levels(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().mean()) * 127.5


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * torch.log10(((a - b) / 2).square().mean()))


def vino(network: Lite, quantised: Quantised | None = None) -> Callable[..., torch.Tensor]:
    if quantised is None:
        run = OpenVinoNetwork(as_network(network), "fp32", size=256, threads=1, most_threads=2)
    else:
        run = OpenVinoNetwork(quantised.network, "int8", size=256, threads=1, most_threads=2, ranges=quantised.ranges)
    return lambda *pictures: torch.from_numpy(run(*(each.numpy() for each in pictures)))


@torch.inference_mode()
def test_in_fp32_it_is_the_same_picture() -> None:
    network = shipped().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    same = vino(network)
    for x in (face(0.5), face(0.5)[..., :96, :160], face(0.5).repeat(2, 1, 1, 1)):
        assert levels(same(x), network(x)) < 0.01


@torch.inference_mode()
def test_8_bits_lose_little() -> None:
    network, quantised = shipped(), eight_bits()
    eight, truth = vino(network, quantised), face(0)
    assert len(quantised.ranges) == len(lite_convolutions(network.graph))
    assert levels(eight(truth), truth) < levels(network(truth), truth) + 0.7
    for level in (0.25, 0.5, 0.75, 1.0):
        x = face(level)
        assert psnr(network(x), truth) - psnr(eight(x), truth) < 0.3
        assert levels(network(x), eight(x)) < 2


@torch.inference_mode()
def test_any_shape_and_any_number_of_pictures() -> None:
    eight = vino(shipped(), eight_bits())
    two = torch.cat([face(0.25), face(1)])
    assert torch.equal(eight(two), torch.cat([eight(face(0.25)), eight(face(1))]))
    one_by_one = eight(two)
    assert torch.equal(one_by_one, eight(two)), "the runtime's memory must not show through"
    for height, width in ((32, 32), (96, 160), (32, 320), (96, 160)):
        x = face(0.5)[..., :height, : min(width, 256)]
        assert eight(x).shape == x.shape
        assert bool(eight(x).isfinite().all())


def remembering() -> Lite:
    """A light network that also looks at its last picture."""
    network = Lite(shuffle=4, channels=[8, 16], encoder=[1, 1], decoder=[1], memory=True)
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


@torch.inference_mode()
def test_a_network_with_a_memory_gets_its_last_picture() -> None:
    network = remembering()
    same, x, before = vino(network), face(0.5), face(1)
    assert levels(network(x, before), network(x)) > 0.1
    assert levels(same(x), network(x)) < 0.01
    assert levels(same(x, before), network(x, before)) < 0.01
    assert levels(same(x[..., :64, :32], before[..., :64, :32]), network(x[..., :64, :32], before[..., :64, :32])) < 0.01
    eight = vino(network, Quantised(as_network(network), calibrate(network, [before, x])))
    assert levels(eight(x, -x), network(x, -x)) < 0.2 * levels(network(x), network(x, -x))


def test_without_openvino_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(RuntimeMissingError, match="OpenVINO does not load"):
        library()


def test_openvino_s_reporter_is_never_loaded() -> None:
    library()
    assert "openvino_telemetry" not in sys.modules
    with pytest.raises(ImportError):
        importlib.import_module("openvino.tools.ovc")


def test_the_8_bit_file_is_small() -> None:
    eight: Path = locate(get("lite-256-int8"))
    assert eight.stat().st_size < 0.6 * locate(SPEC).stat().st_size


def test_ctrl_c_after_the_last_network_was_let_go_of() -> None:
    """OpenVINO's processor plugin takes the thread's stack for signals away with it, and the next signal ended the process."""
    code = (
        "import gc, signal\n"
        "from gpen_live.inference.device import CPU\n"
        "from gpen_live.inference.loading import load_enhancer\n"
        "enhancer = load_enhancer('lite-256', None, CPU)\n"
        "del enhancer\n"
        "gc.collect()\n"
        "signal.signal(signal.SIGINT, lambda *_: print('heard'))\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr
