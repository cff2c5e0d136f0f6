"""The choice among the ways in which a CUDA device can run a network, and what is remembered of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from gpen_live.inference import autotune_cuda as cards
from gpen_live.inference import measurements as store
from gpen_live.inference.autotune_cuda import CudaAutotuner
from gpen_live.kernels import replay
from gpen_live.kernels.gpen_plan import Layer, Plan, Tile
from gpen_live.messages import Message
from gpen_live.nets.torch_lite import Lite
from tests.messages.says import holds

if TYPE_CHECKING:
    from gpen_live.inference.torch_network import Network

    Ways = list[tuple[str, str, Callable[[], Network]]]


class Brighter(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 0.5


class FakeAutotuner(CudaAutotuner):
    """A card with given ways; each takes the milliseconds that its precision is given."""

    ways: Ways

    def _ways(self) -> Iterator[tuple[str, str, Callable[[], Network]]]:
        yield from self.ways


def off_by(levels: float) -> Callable[[], Network]:
    """A network whose picture differs from the exact one by so many levels of 0..255 everywhere."""
    return lambda: lambda pictures, previous: pictures * 0.5 + levels / 127.5


def broken() -> Network:
    raise RuntimeError("Triton does not load: no such module")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Ways, list[Message]], CudaAutotuner]:
    times = iter([3.0, 1.0, 0.95, 5.0])
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path))
    monkeypatch.setattr(replay, "graph_ms", lambda work, device: next(times))
    properties = SimpleNamespace(name="A card", major=9, minor=0, multi_processor_count=4)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)

    def make(ways: Ways, notes: list[Message]) -> CudaAutotuner:
        made = FakeAutotuner(
            Brighter(), 16, torch.device("cpu"), kernels=None, memory=False, fingerprint="x 1 2", notes=notes, fit=None
        )
        made.ways = ways
        return made

    return make


def test_the_first_way_that_is_near_enough_is_taken(card: Callable[[Ways, list[Message]], CudaAutotuner]) -> None:
    notes: list[Message] = []
    ways: Ways = [
        ("Triton", "fp16", broken),
        ("Triton", "bf16", off_by(2)),
        ("PyTorch", "fp16", off_by(0.1)),
        ("PyTorch", "fp32", off_by(0)),
    ]
    found, network = card(ways, notes).choose(thorough=False)
    assert [(one.runtime, one.precision, one.chosen) for one in found] == [("Triton", "bf16", False), ("PyTorch", "fp16", True)]
    assert found[0].error_mean == pytest.approx(2, abs=0.01)
    assert found[1].error_max == pytest.approx(0.1, abs=0.01)
    assert network(torch.zeros(1, 3, 16, 16), None)[0, 0, 0, 0] == pytest.approx(0.1 / 127.5)
    assert len(notes) == 2
    assert holds(notes[0], "network.fails_on_card", runtime="Triton", precision="fp16")
    assert notes[1].id == "network.coarse"
    assert notes[1].params["mean"] == pytest.approx(2, abs=0.01)


def test_a_thorough_choice_takes_what_is_clearly_the_fastest(card: Callable[[Ways, list[Message]], CudaAutotuner]) -> None:
    ways: Ways = [("Triton", "fp16", off_by(0.2)), ("Triton", "tf32", off_by(0.1)), ("PyTorch", "fp32", off_by(0))]
    found, _ = card(ways, []).choose(thorough=True)
    assert [one.ms for one in found] == [3.0, 1.0, 0.95]
    assert [one.chosen for one in found] == [False, True, False], "a twentieth is noise"


def test_a_picture_that_is_no_number_is_never_near(card: Callable[[Ways, list[Message]], CudaAutotuner]) -> None:
    ways: Ways = [("Triton", "fp16", off_by(float("nan"))), ("PyTorch", "fp32", off_by(0))]
    found, _ = card(ways, []).choose(thorough=False)
    assert [one.chosen for one in found] == [False, True]


def test_what_was_proven_is_not_proven_again(
    card: Callable[[Ways, list[Message]], CudaAutotuner], monkeypatch: pytest.MonkeyPatch
) -> None:
    ways: Ways = [("Triton", "fp16", off_by(0.2))]
    first, _ = card(ways, []).choose(thorough=False)
    monkeypatch.setattr(CudaAutotuner, "_truth", lambda self, crop: pytest.fail("measured again"))
    again, _ = card(ways, []).choose(thorough=False)
    assert again[0].error_mean == first[0].error_mean


def test_no_way_at_all_is_told(card: Callable[[Ways, list[Message]], CudaAutotuner]) -> None:
    with pytest.raises(RuntimeError, match="Triton does not load"):
        card([("Triton", "fp16", broken)], []).choose(thorough=False)


@pytest.mark.parametrize("how", ["not installed", "does not load"])
def test_without_triton_pytorch_runs_the_network(
    how: str, card: Callable[[Ways, list[Message]], CudaAutotuner], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows and macOS there is none; elsewhere it may lack a library. Both are no reason to go without a network."""
    card([], [])  # for what it fakes
    monkeypatch.setattr(cards, "_has_triton", lambda: how == "does not load")
    if how == "does not load":
        monkeypatch.setitem(sys.modules, "triton", None)
        for room in ("graph", "graph_kernels", "lite", "lite_kernels", "launch", "network", "parts"):
            monkeypatch.delitem(sys.modules, f"gpen_live.kernels.{room}", raising=False)
    notes: list[Message] = []
    network = Lite(shuffle=2, channels=[16, 16], encoder=[1, 1], decoder=[1], memory=True).eval().requires_grad_(False)
    real = CudaAutotuner(network, 16, torch.device("cpu"), kernels="graph", memory=True, fingerprint="", notes=notes, fit=None)
    found, run = real.choose(thorough=False)
    assert [(one.runtime, one.chosen) for one in found] == [("PyTorch", True)]
    assert run(torch.zeros(1, 3, 16, 16), None).shape == (1, 3, 16, 16)
    assert bool(notes) == (how == "does not load")


def test_the_store_keeps_values_and_forgives_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path / "cache"))
    assert store.recall("a") is None
    store.remember("a", [1.5, 2])
    store.remember("b", {"tiles": []})
    assert store.recall("a") == [1.5, 2]
    assert store.recall("b") == {"tiles": []}
    (file,) = (tmp_path / "cache").iterdir()
    file.write_text('{"a": ', encoding="utf-8")
    assert store.recall("a") is None
    file.write_text("[1]", encoding="utf-8")
    assert store.recall("a") is None
    store.remember("a", 3)
    assert store.recall("a") == 3
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path / "file"))
    store.remember("a", 4)  # no folder can be made there
    assert store.recall("a") is None


def test_the_store_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path))
    for i in range(230):
        store.remember(f"{i}", i)
    assert store.recall("229") == 229
    assert store.recall("0") is None


def test_fitting_happens_once_and_goes_on_where_it_was_given_up(
    card: Callable[[Ways, list[Message]], CudaAutotuner], monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = [Layer("same", side, 64, 64) for side in (4, 8)]
    given_up, seen = [True], []

    def tune(net: Plan, samples: int, say: Callable[[float], None]) -> None:
        seen.append(set(net.tiles))
        for layer in layers:
            net.tiles[layer, samples] = Tile(16, 16, 16)
            say(0.5)
        net.doubled = {4}

    def say(share: float) -> None:
        if given_up[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr(cards, "_late", lambda room: SimpleNamespace(tune=tune))
    made = card([], [])
    made._fit = say
    with pytest.raises(KeyboardInterrupt):
        made._fit_plan(plan := Plan(4), lambda: plan)
    given_up[0] = False
    made._fit_plan(plan := Plan(4), lambda: plan)
    made._fit_plan(plan := Plan(4), lambda: plan)
    assert seen == [set(), {(layers[0], 1)}]
    assert plan.doubled == {4}
    assert set(plan.tiles) == {(layer, 1) for layer in layers}
    made._fit = None
    made._size = 32
    made._fit_plan(plan := Plan(4), lambda: pytest.fail("nobody asked for it"))
    assert set(plan.tiles) == {(layer, 1) for layer in layers}
    assert plan.doubled == Plan(4).doubled
