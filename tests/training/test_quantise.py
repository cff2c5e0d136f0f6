"""The 8-bit version of a network, from weights to file and back."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from skimage import data

from gpen_live.errors import WeightsError
from gpen_live.facedata.pack import PACKED
from gpen_live.models.files import read_arrays, sha256
from gpen_live.models.loading import load, load_quantised
from gpen_live.models.registry import get
from gpen_live.nets.quantised import lite_convolutions, pack_state, quantise_weight, unpack_state
from gpen_live.nets.torch_graph import arrays, tensors
from gpen_live.nets.torch_lite import Lite
from gpen_live.training.lite import serialise
from gpen_live.training.quantise import main
from tests.messages.says import says

EIGHT = get("lite-256-int8")


def tiny(*, memory: bool = False) -> Lite:
    torch.manual_seed(0)
    network = Lite(shuffle=4, channels=[8, 16], encoder=[1, 1], decoder=[1], memory=memory)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight, std=0.3 / module.weight[0].numel() ** 0.5)
    return network.eval()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A packed file with three takes of one face."""
    takes = [np.ascontiguousarray(data.astronaut()[i : i + PACKED, 64 + i : 64 + i + PACKED, ::-1]) for i in (0, 8, 16)]
    coded = [cv2.imencode(".png", take)[1].ravel() for take in takes]
    grid = np.arange(25) - 12
    sharp = np.exp(-(grid[:, None] ** 2 + grid[None] ** 2) / (2 * np.array([0.3, 0.8, 1.5])[:, None, None] ** 2))
    path = tmp_path / "faces.npz"
    np.savez(
        path,
        pictures=np.concatenate(coded),
        ends=np.cumsum([len(c) for c in coded]),
        val=np.array([False, False, True]),
        kernels=(sharp / sharp.sum((1, 2), keepdims=True)).astype(np.float16),
    )
    return path


@pytest.mark.parametrize("memory", [False, True])
def test_from_weights_to_a_file_that_runs(memory: bool, photos: Path, tmp_path: Path) -> None:
    weights, out, again = (tmp_path / name for name in ("float.safetensors", "a.safetensors", "b.safetensors"))
    network = tiny(memory=memory)
    weights.write_bytes(serialise(network))
    done = CliRunner().invoke(main, ["--photos", str(photos), "--weights", str(weights), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert f'sha256="{sha256(out)}"' in done.output
    assert f"bytes={out.stat().st_size:_}" in done.output
    rows = [[float(cell) for cell in line.strip("|").split("|")] for line in done.output.splitlines() if line.startswith("| 0")]
    assert len(rows) == 4
    assert all(max(abs(row[3]), abs(row[6])) < 1 for row in rows if row[0] > 0)

    CliRunner().invoke(main, ["--photos", str(photos), "--weights", str(weights), "--out", str(again), "--judges", "0"])
    assert again.read_bytes() == out.read_bytes()

    assert read_arrays(out)[1]["made_of"] == sha256(weights)
    quantised = load_quantised(EIGHT, out)
    assert quantised is not None
    assert quantised.ranges.keys() == set(lite_convolutions(network.graph))
    rounded = load(EIGHT, out).module()
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    assert float((rounded(x) - network(x)).detach().abs().mean()) < 0.01


def test_rounding_twice_changes_nothing() -> None:
    weight = arrays(tiny())["encoder.1.0.widen.weight"]
    integers, scale = quantise_weight(weight)
    assert np.abs(integers).max() == 63
    again, same = quantise_weight(integers.astype(np.float32) * scale.reshape(-1, 1, 1, 1))
    np.testing.assert_array_equal(again, integers)
    np.testing.assert_allclose(same, scale, rtol=1e-6)
    silent, positive = quantise_weight(np.zeros((2, 3, 1, 1), np.float32))
    assert not silent.any()
    assert bool((positive > 0).all())


def test_weights_in_float_come_back_as_they_are() -> None:
    state = arrays(tiny())
    kept, ranges = unpack_state(state)
    assert ranges == {}
    assert all(kept[name] is value for name, value in state.items())


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("encoder.1.0.widen.scale", None, "lacks its scale"),
        ("encoder.1.0.widen.range", None, "lacks its scale or its range"),
        ("encoder.1.0.widen.scale", torch.ones(3), "does not fit"),
        ("encoder.1.0.widen.scale", torch.zeros(8), "does not fit"),
        ("encoder.1.0.widen.range", torch.tensor([1.0, 2.0]), "does not hold zero"),
        ("encoder.1.0.widen.range", torch.tensor([0.0, 0.0]), "does not hold zero"),
        ("encoder.1.0.widen.weight", torch.zeros(32, 16, 1, 1), "no weight in whole numbers"),
        ("down.0.weight", torch.zeros(4, 8, 2, 2, dtype=torch.int8), "does not fit"),
    ],
)
def test_a_damaged_file_is_a_sentence(name: str, value: torch.Tensor | None, words: str, tmp_path: Path) -> None:
    network, path = tiny(), tmp_path / "x.safetensors"
    state = tensors(pack_state(arrays(network), dict.fromkeys(lite_convolutions(network.graph), (-1.0, 1.0))))
    if value is None:
        del state[name]
    else:
        state[name] = value
    metadata = {"settings": read_settings(network, tmp_path)}
    save_file(state, path, metadata)
    with pytest.raises(WeightsError, match=words):
        load(EIGHT, path)
    with pytest.raises(WeightsError, match=words):
        load_quantised(EIGHT, path)


def read_settings(network: Lite, folder: Path) -> str:
    path = folder / "float.safetensors"
    path.write_bytes(serialise(network))
    assert load_file(path)
    return read_arrays(path)[1]["settings"]


def test_a_file_in_float_is_not_taken_for_8_bits(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(serialise(tiny()))
    with pytest.raises(WeightsError, check=says("weights.not_eight_bits")):
        load_quantised(EIGHT, path)
    assert load_quantised(get("gpen-256"), path) is None
