"""GPEN: the same pictures as upstream's network, from upstream's state dicts."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gpen_live.nets.gpen import Gpen
from gpen_live.nets.gpen_variants import VARIANTS, describe

PARITY = Path(__file__).parents[1] / "data" / "parity"


def blank(name: str) -> Gpen:
    with torch.device("meta"):
        return Gpen(**VARIANTS[name])


def recipe_weights(shapes: Mapping[str, tuple[int, ...]], seed: int = 20210605) -> dict[str, Tensor]:
    """The deterministic weights that the expected arrays were computed with, drawn in sorted order of the names."""
    rng = np.random.default_rng(seed)
    state = {}
    for name in sorted(shapes):
        values = rng.standard_normal(shapes[name], dtype=np.float32)
        if name.startswith("generator.style."):
            values *= 100 if name.endswith("weight") else 10
        elif name.endswith("modulation.bias"):
            values = 1 + 0.1 * values
        elif name.endswith("noise.weight"):
            values *= 0.5
        elif name.endswith("bias"):
            values *= 0.1
        state[name] = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    return state


def recipe_picture(size: int, seed: int = 256) -> Tensor:
    """Smooth gradients with a little noise, 1 x 3 x size x size."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    planes = np.stack([np.sin(7 * x + 3 * y), np.cos(5 * y - 2 * x), np.sin(11 * x * y)])
    return torch.from_numpy((0.8 * planes + 0.1 * rng.standard_normal((3, size, size))).astype(np.float32)).clamp(-1, 1)[None]


def load(name: str) -> Gpen:
    net = blank(name)
    net.load_state_dict(recipe_weights({key: tuple(value.shape) for key, value in net.state_dict().items()}), assign=True)
    return net.eval().requires_grad_(False)


def published_names(name: str) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the official file."""
    rows = (line.split(" ", 1) for line in (PARITY / f"{name}.keys.txt").read_text().splitlines() if line)
    return {key: tuple(int(side) for side in shape.strip("() ,").split(",")) for key, shape in rows}


@pytest.fixture(scope="module")
def small() -> Gpen:
    """A network with all of GPEN's parts, fast to run."""
    torch.manual_seed(1)
    net = Gpen(size=16, channel_multiplier=1, narrow=0.0625).eval().requires_grad_(False)
    for name, parameter in net.named_parameters():
        if name.endswith(("noise.weight", "bias")):
            parameter.add_(0.3 * torch.randn_like(parameter))
    return net


@pytest.mark.parametrize("name", ["gpen-256", "gpen-512", "gpen-1024"])
def test_same_picture_as_upstream(name: str) -> None:
    net = load(name)
    with np.load(PARITY / f"{name}.small.npz") as expected, torch.inference_mode():
        picture = net(recipe_picture(net.size))[0].numpy()
        step = int(expected["step"])
        difference = np.abs(picture[:, ::step, ::step] - expected["output"])
        assert difference.max() < 2e-3
        assert difference.mean() < 1e-4
        assert picture.mean() == pytest.approx(float(expected["mean"]), abs=1e-4)
        assert picture.std() == pytest.approx(float(expected["std"]), abs=1e-4)


@pytest.mark.parametrize("name", ["gpen-256", "gpen-512", "gpen-1024"])
def test_names_and_shapes_are_upstreams(name: str) -> None:
    published = published_names(name)
    ours = {key: tuple(value.shape) for key, value in blank(name).state_dict().items()}
    assert ours == {key: shape for key, shape in published.items() if not key.endswith(".kernel")}


@pytest.mark.parametrize(
    ("name", "millions"), [("gpen-256", 18.88), ("gpen-512", 71.01), ("gpen-1024", 71.21), ("gpen-2048", 71.29)]
)
def test_number_of_parameters(name: str, millions: float) -> None:
    net = blank(name)
    assert net.size == VARIANTS[name]["size"]
    assert sum(parameter.numel() for parameter in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


def test_each_picture_of_a_batch_is_its_own(small: Gpen) -> None:
    first, second = torch.rand(2, 1, 3, 16, 16) * 2 - 1
    both = small(torch.cat([first, second]))
    torch.testing.assert_close(both, torch.cat([small(first), small(second)]), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(both[0], both[1], atol=1e-2)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.004), (torch.bfloat16, 0.03)])
def test_half_precision_is_close(small: Gpen, dtype: torch.dtype, tolerance: float) -> None:
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    exact, rounded = small(picture), copy.deepcopy(small).to(dtype)(picture)
    assert rounded.dtype == torch.float32
    assert 0 < float((rounded - exact).abs().mean()) < tolerance * float(exact.std())


def test_large_styles_stay_finite_in_float16(small: Gpen) -> None:
    """Sums of squared styles would overflow float16; demodulation takes their size out again."""
    large = copy.deepcopy(small)
    for name, parameter in large.named_parameters():
        if "modulation" in name and "to_rgb" not in name:
            parameter.mul_(3000)
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    exact = large(picture)
    rounded = large.half()(picture)
    assert bool(torch.isfinite(rounded).all())
    assert float((rounded - exact).abs().mean()) < 0.02 * float(exact.std())


def test_channels_last_gives_the_same_picture(small: Gpen) -> None:
    picture = torch.rand(2, 3, 16, 16) * 2 - 1
    relaid = copy.deepcopy(small).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.testing.assert_close(relaid(picture.to(memory_format=torch.channels_last)), small(picture), rtol=1e-4, atol=1e-5)


def test_state_dict_round_trip(small: Gpen) -> None:
    other = Gpen(size=16, channel_multiplier=1, narrow=0.0625).eval()
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    assert not torch.allclose(other(picture), small(picture), atol=1e-2)
    state = small.state_dict()
    before = {name: value.clone() for name, value in state.items()}
    other.load_state_dict(state)
    torch.testing.assert_close(other(picture), small(picture), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(other.state_dict(), before)
    torch.testing.assert_close(state, before, rtol=0, atol=0)  # loading leaves the caller's tensors alone


def test_prepare_after_a_change_by_hand(small: Gpen) -> None:
    """Demodulation takes the size of a layer's weights out, once it knows that they changed."""
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    changed = copy.deepcopy(small)
    changed.get_parameter("generator.conv1.conv.weight").mul_(5)
    assert not torch.allclose(changed(picture), small(picture), atol=1e-2)
    changed.prepare()
    torch.testing.assert_close(changed(picture), small(picture), rtol=1e-4, atol=1e-5)


def test_upstreams_filter_taps_are_accepted_and_others_are_not(small: Gpen) -> None:
    taps = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64
    state = small.state_dict()
    state |= {
        "ecd1.0.0.kernel": taps,
        "generator.convs.0.conv.blur.kernel": 4 * taps,
        "generator.to_rgbs.0.upsample.kernel": 4 * taps,
    }
    net = Gpen(size=16, channel_multiplier=1, narrow=0.0625)
    net.load_state_dict(state)
    with pytest.raises(RuntimeError, match=r"ecd1\.0\.0\.kernel"):
        net.load_state_dict(state | {"ecd1.0.0.kernel": 4 * taps})


def test_wrong_shapes_are_refused(small: Gpen) -> None:
    state = small.state_dict()
    squeezed = state | {"generator.conv1.conv.weight": state["generator.conv1.conv.weight"][0]}
    with pytest.raises(RuntimeError, match=r"size mismatch for generator\.conv1\.conv\.weight"):
        copy.deepcopy(small).load_state_dict(squeezed)
    with pytest.raises(RuntimeError, match="Missing key"):
        copy.deepcopy(small).load_state_dict(
            {name: value for name, value in state.items() if not name.startswith("final_linear")}
        )
    with pytest.raises(RuntimeError, match="Unexpected key"):
        copy.deepcopy(small).load_state_dict(state | {"ecd9.0.1.weight": torch.zeros(1)})


def shapes(net: Gpen) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in net.state_dict().items()}


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_describe_tells_variants_apart(name: str) -> None:
    assert describe(shapes(blank(name))) == name


def test_describe_knows_nothing_else(small: Gpen) -> None:
    assert describe(shapes(small)) is None
    assert describe({}) is None
    assert describe({"ecd0.0.0.weight": (3,), "generator.input.input": (3,)}) is None


@pytest.mark.parametrize("shape", [(1, 3, 15, 16), (1, 1, 16, 16), (3, 16, 16), (1, 3, 32, 32)])
def test_other_pictures_are_refused(small: Gpen, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected N x 3 x 16 x 16"):
        small(torch.zeros(shape))


@pytest.mark.parametrize("size", [0, 4, 100, -256])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Gpen(size=size, channel_multiplier=1, narrow=0.5)


def test_building_one_without_values_does_not_import_compilers() -> None:
    """Which would take seconds at every start."""
    code = """
import sys, torch
from gpen_live.nets.gpen import Gpen
from gpen_live.nets.gpen_variants import VARIANTS
with torch.device("meta"):
    network = Gpen(**VARIANTS["gpen-256"])
print(all(value.is_meta for value in network.parameters()), sorted({"torch._dynamo", "sympy"} & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.stdout.split("\n")[0] == "True []", done.stdout + done.stderr
