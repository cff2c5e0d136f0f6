"""The light network's Triton kernels: against plain PyTorch in Triton's interpreter and on a card, and through its compiler."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gpen_live.kernels.lite_tiles import Choose, Layer, Tile, usual_tile
from gpen_live.models.loading import load
from gpen_live.models.registry import get, locate
from gpen_live.nets import layers
from gpen_live.nets.torch_graph import network as as_network
from gpen_live.nets.torch_lite import Lite, lite_256
from tests.kernels.compiling import compiled, stack_bytes
from tests.nets.graphs import with_random_parameters

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
HAS_TRITON = importlib.util.find_spec("triton") is not None
needs_triton = pytest.mark.skipif(not HAS_TRITON, reason="Triton is not installed: there is none for this system")
needs_card = pytest.mark.skipif(
    not (HAS_TRITON and torch.cuda.is_available()), reason="no NVIDIA card: the kernels run in Triton's interpreter alone"
)
needs_compiler = pytest.mark.skipif("TRITON_INTERPRET" in os.environ, reason="Triton's interpreter is on")


@pytest.mark.kernels
@needs_triton
def test_the_interpreted_kernels_give_pytorch_s_pictures() -> None:
    script = ROOT / "tests" / "kernels" / "lite_interpreted.py"
    done = subprocess.run([sys.executable, str(script)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == 9
    for name, dtype, difference, changed, out_dtype in results:
        what = (name, dtype, difference)
        assert out_dtype == "torch.float32", what
        assert changed > 5, what
        assert difference < (0.002 if dtype == "torch.float32" else 1), what


class Launch:
    """A kernel that only notes its launches."""

    def __init__(self, name: str, calls: list[tuple[str, tuple[int, ...], tuple[Any, ...], dict[str, Any]]]) -> None:
        self.name, self.calls = name, calls

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        return lambda *arguments, **sizes: self.calls.append((self.name, grid, arguments, sizes))


NAMES = ("entry", "block", "block_widen", "block_narrow", "down", "fuse", "leave")
Calls = list[tuple[str, tuple[int, ...], tuple[Any, ...], dict[str, Any]]]


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Networks of the test launch nothing; what they would have launched is in here."""
    calls: Calls = []
    noting = SimpleNamespace(**{name: Launch(name, calls) for name in NAMES})
    monkeypatch.setattr("gpen_live.kernels.lite.kernels", noting)
    monkeypatch.setattr("gpen_live.kernels.graph.check_device", lambda dtype, device: None)
    return calls


def on(network: Lite, dtype: torch.dtype, device: torch.device = CPU, choose: Choose = usual_tile) -> Callable[..., torch.Tensor]:
    from gpen_live.kernels.network import TritonNetwork

    return TritonNetwork(as_network(network), dtype, device, choose=choose)


@needs_triton
def test_a_layer_is_a_kernel(launches: Calls) -> None:
    on(lite_256(), torch.float16, choose=lambda layer, _: Tile(32, 64))(torch.zeros(1, 3, 256, 256))
    assert len(launches) == 17
    on(lite_256(), torch.float16)(torch.zeros(1, 3, 256, 256))
    assert len(launches) - 17 <= 22


@pytest.mark.kernels
@needs_triton
@needs_compiler
@pytest.mark.parametrize(("capability", "shared", "size"), [(80, 99 * 1024, 1024), (90, 227 * 1024, 256)])
def test_every_kernel_compiles_for_cards(
    capability: int, shared: int, size: int, launches: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the shared memory of desktop cards, with the matrix units, and without variables that spill to slow memory."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    on(lite_256(), torch.float16)(torch.zeros(1, 3, size, size))
    lite_kernels = importlib.import_module("gpen_live.kernels.lite_kernels")
    seen: set[str] = set()
    for name, _, arguments, sizes in launches:
        if f"{name} {sizes}" in seen:
            continue
        seen.add(f"{name} {sizes}")
        made = compiled(getattr(lite_kernels, name), arguments, sizes, capability)
        assert made.metadata.shared <= shared, (name, sizes)
        assert re.search("wgmma|mma.sync", made.asm["ptx"]), (name, sizes)
        assert stack_bytes(made.asm["cubin"], tmp_path) <= 64, (name, sizes)
    assert len(seen) > 8


@needs_triton
def test_pictures_that_do_not_fit_are_refused(launches: Calls) -> None:
    network = on(lite_256(), torch.float16)
    good = torch.zeros(1, 3, 32, 32)
    for bad in (good.half(), good[..., :31], good[:, :2], good[:0]):
        with pytest.raises(RuntimeError, match="the network's pictures must be"):
            network(bad)
    with pytest.raises(RuntimeError, match="all of one shape"):
        network(good, good.repeat(2, 1, 1, 1))
    with pytest.raises(RuntimeError, match="too large"):
        network(good.expand(200_000, 3, 32, 32))
    assert launches == []


@needs_triton
def test_the_widest_network_takes_these_kernels_in_16_bits_alone(launches: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    general: list[str] = []
    monkeypatch.setattr("gpen_live.kernels.graph.launch", lambda kernel, *_, **__: general.append(kernel.__name__))
    widest = Lite(shuffle=4, channels=[16, 512], encoder=[0, 1], decoder=[0])
    on(widest, torch.bfloat16)(torch.zeros(1, 3, 8, 8))
    assert "block" in {name for name, *_ in launches} or "block_widen" in {name for name, *_ in launches}
    assert not general
    launches.clear()
    on(widest, torch.float32)(torch.zeros(1, 3, 8, 8))
    assert {"convolve", "pair"} <= set(general)
    assert {name for name, *_ in launches} == {"entry", "leave"}


@needs_triton
def test_an_uneven_map_is_left_to_the_kernels_for_every_graph(launches: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one for 2x2 convolutions counts on twice the lines of its output."""
    from gpen_live.kernels.graph import TritonGraph
    from gpen_live.kernels.lite import patterns

    general: list[str] = []
    monkeypatch.setattr("gpen_live.kernels.graph.launch", lambda kernel, *_, **__: general.append(kernel.__name__))
    x = layers.picture("x", 3)
    for padding, kind in ((1, "down"), (0, "convolve")):
        general.clear()
        launches.clear()
        y = layers.convolution("b", layers.convolution("a", x, 16, kernel=4 - padding, padding=padding), 16, kernel=2, stride=2)
        network = with_random_parameters(layers.Graph("uneven", (x,), (y,)))
        TritonGraph(network, torch.float16, CPU, patterns=patterns(usual_tile))(torch.zeros(1, 3, 8, 8))
        assert [name for name, *_ in launches] == (["down"] if kind == "down" else [])
        assert general.count("convolve") == (1 if kind == "down" else 2)


@needs_triton
@needs_compiler
def test_what_can_not_run_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="need a graphics card"):
        on(lite_256(), torch.float16)
    with pytest.raises(RuntimeError, match="in float64"):
        on(lite_256(), torch.float64)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(RuntimeError, match="too old"):
        on(lite_256(), torch.float16, torch.device("cuda"))


@pytest.mark.parametrize("kind", ["entry", "block", "down", "fuse", "exit"])
@pytest.mark.parametrize("channels", [3, 48, 160, 512])
@pytest.mark.parametrize("pixels", [1, 64, 4096, 58880])
def test_tiles_are_what_kernels_can_take(kind: Any, channels: int, pixels: int) -> None:
    layer = Layer("x", kind, channels, channels)
    tile = usual_tile(layer, pixels)
    assert tile.rows * tile.columns == tile.pixels
    assert tile.rows <= tile.columns <= 2 * tile.rows
    assert tile.pixels in (16, 32, 64, 128)
    assert tile.outputs in (16, 32, 64, 128)
    assert tile.warps in (4, 8)


@needs_card
@pytest.mark.parametrize(("count", "height", "width"), [(1, 256, 256), (4, 256, 256), (1, 96, 160)])
@torch.inference_mode()
def test_on_a_card_it_is_the_same_picture_and_can_be_captured(count: int, height: int, width: int) -> None:
    plain = load(get("lite-256"), locate(get("lite-256"))).module()
    assert isinstance(plain, Lite)
    card = torch.device("cuda")
    generator = torch.Generator().manual_seed(0)
    x, before = (torch.rand(count, 3, height, width, generator=generator) * 2 - 1 for _ in range(2))
    fast = on(plain, torch.float16, card)
    on_card = (x.to(card), before.to(card))
    out = fast(*on_card)
    difference = (out.cpu() - plain(x, before)).abs() * 127.5
    assert difference.mean() < 0.5
    assert difference.max() < 8
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = fast(*on_card)
    captured.fill_(torch.nan)
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(captured, out)
