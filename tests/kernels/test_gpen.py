"""GPEN's Triton kernels: against plain PyTorch in Triton's interpreter and on a card, and through its compiler; their tiles."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from gpen_live.kernels import gpen_weights
from gpen_live.kernels.gpen_plan import Kind, Layer, Plan, Tile, guess, pictures_at_once
from gpen_live.kernels.gpen_weights import GpenWeights, with_filter
from gpen_live.nets.gpen import Gpen
from gpen_live.nets.gpen_variants import VARIANTS
from tests.kernels.compiling import compiled, stack_bytes

ROOT = Path(__file__).parents[2]
HAS_TRITON = importlib.util.find_spec("triton") is not None
needs_triton = pytest.mark.skipif(not HAS_TRITON, reason="Triton is not installed: there is none for this system")
needs_card = pytest.mark.skipif(
    not (HAS_TRITON and torch.cuda.is_available()), reason="no NVIDIA card: the kernels run in Triton's interpreter alone"
)
LAYERS = [
    Layer("same", 4, 256, 256),
    Layer("same", 64, 1024, 512),
    Layer("same", 2048, 32, 16),
    Layer("halve", 256, 64, 128),
    Layer("phases", 32, 1024, 512),
    Layer("double", 8, 512, 1024),
]


@pytest.mark.kernels
@needs_triton
def test_the_interpreted_kernels_give_pytorch_s_pictures() -> None:
    script = ROOT / "tests" / "kernels" / "gpen_interpreted.py"
    done = subprocess.run([sys.executable, str(script)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == 4
    for name, difference, repeats, spread in results:
        assert repeats, name
        assert spread > 20, name
        assert difference < (1 if name == "half precision" else 0.001), (name, difference)


def test_a_filter_folded_in_gives_what_it_gives_apart() -> None:
    torch.manual_seed(0)
    weight, x = torch.randn(5, 3, 3, 3), torch.randn(2, 3, 6, 6)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = (torch.outer(taps, taps) / 16).expand(5, 1, 4, 4)
    apart = F.conv2d(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), kernel, padding=1, groups=5)
    folded = with_filter(weight)  # taps x in x (parities x out)
    as_kernel = folded.reshape(3, 3, 3, 2, 2, 5).permute(5, 3, 4, 2, 0, 1).reshape(20, 3, 3, 3)
    together = F.pixel_shuffle(F.conv2d(x, as_kernel, padding=1), 2)
    torch.testing.assert_close(together, apart)


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_guessed_tile_covers_its_layer(layer: Layer, samples: int) -> None:
    tile = guess(layer, samples, 132)
    channels = layer.outputs // 4 if layer.kind == "double" else layer.outputs
    assert channels % tile.n == 0
    assert layer.inputs % tile.k == 0
    assert 1 <= tile.split <= layer.steps * layer.inputs // tile.k
    assert min(tile.m, tile.n, tile.k) >= 16


def test_small_maps_are_split_over_the_card_and_large_ones_are_not() -> None:
    small, large = Layer("same", 4, 512, 512), Layer("same", 64, 1024, 512)
    assert guess(small, 1, 132).split > 1
    assert guess(large, 1, 132).split == 1


def test_measured_tiles_survive_being_written_down() -> None:
    plan, again = Plan(132), Plan(132)
    plan.tiles[LAYERS[0], 1] = Tile(16, 32, 128, 8, 4, 6)
    plan.tiles[LAYERS[4], 2] = Tile(64, 64, 64)
    again.unpack(json.loads(json.dumps(plan.pack())))
    assert again == plan


@pytest.mark.parametrize(
    "packed",
    [None, 3, {}, [3], [["same", 4]], [["other", *[4] * 10]], [["same", 4, 16, 16, 1, 16, 16, 16, 0, 4, 3]],
     [["same", 4, 16, 16, 1, 16, 16, 16, "1", 4, 3]]],
)  # fmt: skip
def test_spoilt_tiles_are_left_out(packed: object) -> None:
    plan = Plan(132)
    plan.unpack(packed)
    assert plan == Plan(132)


def test_more_faces_split_a_measured_sum_less() -> None:
    plan = Plan(132)
    plan.tiles[LAYERS[0], 1] = Tile(16, 32, 128, 8)
    assert plan.tile(LAYERS[0], 4) == Tile(16, 32, 128, 2)
    assert plan.tile(LAYERS[0], 16).split == 1


def test_only_one_form_of_each_widening_layer_is_kept() -> None:
    net = Gpen(size=16, channel_multiplier=1, narrow=1 / 32, style_dim=32, n_mlp=1)
    kinds = {both: _kinds(net, both=both) for both in (False, True)}
    assert kinds[False].count("phases") == kinds[False].count("double") == 1
    assert kinds[True].count("phases") == kinds[True].count("double") == 2
    assert kinds[False].count("same") == 3
    assert kinds[False].count("halve") == 2


def test_a_filter_is_folded_into_small_convolutions_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Gpen(size=16, channel_multiplier=1, narrow=1 / 32, style_dim=32, n_mlp=1)
    monkeypatch.setattr(gpen_weights, "_WORTH_FOLDING", 1000)
    for both in (False, True):
        kinds = _kinds(net, both=both)
        assert kinds.count("phases") == 2
        assert "double" not in kinds


def _kinds(net: Gpen, *, both: bool) -> list[Kind]:
    weights = GpenWeights(net, torch.float32, torch.device("cpu"), Plan(1, doubled={4}), both=both)
    return [layer.kind for layer in weights.layers()]


def test_widths_that_do_not_suit_are_refused() -> None:
    net = Gpen(size=8, channel_multiplier=1, narrow=3 / 64, style_dim=32, n_mlp=1)  # 24 channels
    with pytest.raises(RuntimeError, match="24 channels"):
        GpenWeights(net, torch.float16, torch.device("cpu"), Plan(1))


@needs_triton
def test_a_refused_kernel_does_not_stand_in_the_next_one_s_way() -> None:
    from triton.runtime import _async_compile

    from gpen_live.kernels.launch import guarded, together

    def refused() -> object:
        raise ValueError("a damaged cache")

    def mode() -> object:
        return _async_compile.active_mode.get()

    for _ in range(2):
        with pytest.raises(RuntimeError, match="a damaged cache"), guarded(torch.device("cpu")), together():
            mode().submit("key", refused, lambda kernel: None)  # type: ignore[attr-defined]
        assert mode() is None
    with together(ignore_errors=True):
        mode().submit("key", refused, lambda kernel: None)  # type: ignore[attr-defined]


def test_only_small_pictures_go_through_together() -> None:
    assert [pictures_at_once(size) for size in (256, 512, 2048)] == [4, 1, 1]


@pytest.mark.kernels
@needs_triton
@pytest.mark.skipif("TRITON_INTERPRET" in os.environ, reason="Triton's interpreter is on")
@pytest.mark.parametrize(("capability", "shared", "processors"), [(86, 99 * 1024, 46), (90, 227 * 1024, 132)])
def test_every_kernel_compiles_for_cards(
    capability: int, shared: int, processors: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guessed tiles fit into the shared memory of desktop cards, and the convolutions use the matrix units."""
    from gpen_live.kernels import gpen as triton_gpen

    calls: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []

    def note(kernel: Any, grid: tuple[int, ...], *arguments: Any, **sizes: Any) -> None:
        assert 0 not in grid
        calls.append((kernel, arguments, sizes))

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(triton_gpen, "launch", note)
    net = Gpen(size=128, channel_multiplier=1, narrow=0.5, n_mlp=2).eval().requires_grad_(False)
    triton_gpen.TritonGpen(net, torch.float16, torch.device("cpu"), Plan(processors))(torch.zeros(1, 3, 128, 128))
    seen: set[str] = set()
    for kernel, arguments, sizes in calls:
        what = f"{kernel.__name__} {sizes}"
        if what not in seen:
            seen.add(what)
            made = compiled(kernel, arguments, sizes, capability)
            assert made.metadata.shared <= shared, what
            if kernel.__name__ == "shifted_gemm":
                assert re.search("wgmma|mma.sync", made.asm["ptx"]), what
                assert stack_bytes(made.asm["cubin"], tmp_path) <= 64, what
    assert len(seen) > 20


@needs_triton
def test_worthwhile_tiles_give_the_card_enough_to_do() -> None:
    from gpen_live.kernels.gpen_tune import candidates

    for layer in LAYERS:
        tiles = list(candidates(layer, 1, 132))
        assert 3 <= len(tiles) <= 16, layer
        for tile in tiles:
            assert layer.outputs % tile.n == 0
            assert layer.inputs % tile.k == 0
            assert tile.split <= layer.steps * layer.inputs // tile.k


def real(name: str) -> tuple[Gpen, torch.Tensor]:
    """A published architecture with weights of which none is idle, and pictures."""
    torch.manual_seed(0)
    net = Gpen(**VARIANTS[name]).eval().requires_grad_(False)
    for key, parameter in net.named_parameters():
        if key.endswith("noise.weight"):
            parameter.fill_(0.5)
    net.prepare()
    coarse = torch.rand(4, 3, 16, 16)
    return net, F.interpolate(coarse, (net.size, net.size), mode="bicubic").clamp(0, 1) * 2 - 1


@needs_card
@pytest.mark.parametrize(
    ("precision", "mean", "most"), [(torch.float16, 0.5, 8), (torch.bfloat16, 4, 40), (torch.float32, 0.5, 8)], ids=str
)
@pytest.mark.parametrize("name", ["gpen-256", "gpen-512"])
def test_on_the_card_the_picture_is_float32_s(name: str, precision: torch.dtype, mean: float, most: float) -> None:
    from gpen_live.kernels.gpen import TritonGpen

    net, pictures = real(name)
    device = torch.device("cuda", 0)
    plan = Plan(torch.cuda.get_device_properties(device).multi_processor_count, depth=32)
    fast = TritonGpen(net, precision, device, plan)
    plain = net.to(device)
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for count in (1, 3):
            some = pictures[:count].to(device)
            difference = (fast(some).clamp(-1, 1) - plain(some).clamp(-1, 1)).abs() * 127.5
            assert difference.mean() < mean, (count, difference.mean())
            assert difference.max() < most, (count, difference.max())
            assert torch.equal(fast(some), fast(some))


@needs_card
def test_a_recorded_graph_gives_the_same_bits() -> None:
    from gpen_live.kernels.gpen import TritonGpen
    from gpen_live.kernels.replay import Replayed

    net, pictures = real("gpen-256")
    device = torch.device("cuda", 0)
    fast = TritonGpen(net, torch.float16, device, Plan(132))
    replayed = Replayed(fast, device)
    with torch.inference_mode():
        for i in range(4):
            one = pictures[i : i + 1].to(device)
            assert torch.equal(replayed(one), fast(one))
        both = pictures[:2].to(device)
        assert torch.equal(replayed(both), fast(both))


@needs_card
def test_fitting_to_the_card_keeps_the_picture() -> None:
    from gpen_live.kernels.gpen import TritonGpen
    from gpen_live.kernels.gpen_tune import tune

    torch.manual_seed(0)
    net = Gpen(size=64, channel_multiplier=1, narrow=1 / 8).eval().requires_grad_(False)
    device = torch.device("cuda", 0)
    plan = Plan(torch.cuda.get_device_properties(device).multi_processor_count)
    shares: list[float] = []
    with torch.inference_mode():
        tune(TritonGpen(net, torch.float16, device, plan, both=True), 1, shares.append)
        assert shares == sorted(shares)
        assert math.isclose(shares[-1], 1)
        assert len(plan.tiles) == len(set(GpenWeights(net, torch.float16, device, plan, both=True).layers()))
        fast, pictures = TritonGpen(net, torch.float16, device, plan), torch.rand(1, 3, 64, 64, device=device) * 2 - 1
        difference = (fast(pictures) - net.to(device)(pictures)).abs().mean() * 127.5
    assert difference < 0.5
