"""Upstream's network against ours, with a fake checkout whose network is known."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from gpen_live.bench import upstream
from gpen_live.bench.timing import Budget
from gpen_live.bench.weights import weights_for
from gpen_live.errors import GpenLiveError, UsageError
from gpen_live.models import registry
from gpen_live.models.architectures import STRICT
from gpen_live.models.registry import get
from gpen_live.nets import gpen_variants
from tests.messages.says import says

TINY = Budget(seconds=0.1, least=3, most=6, warm_ups=1)
NETWORK = """
import torch
from gpen_live.nets.gpen import Gpen
assert not torch.cuda.is_available(), "it would compile"
class FullGenerator(Gpen):
    def __init__(self, size, style_dim, n_mlp, channel_multiplier=2, narrow=1, device="cuda"):
        assert (style_dim, n_mlp, device) == (512, 8, "cpu")
        super().__init__(size=size, channel_multiplier=channel_multiplier, narrow=narrow)
    def forward(self, pictures):
        return {sign}super().forward(pictures), None
"""


@pytest.fixture
def request_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A request for GPEN-256 as a network of 16 pixels."""
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(registry.MODELS, "gpen-256", dataclasses.replace(get("gpen-256"), size=16, parameters=100_000))
    monkeypatch.setitem(gpen_variants.VARIANTS, "gpen-256", {"size": 16, "channel_multiplier": 1, "narrow": 0.0625})
    weights, _ = weights_for(get("gpen-256"), tmp_path)
    threads = torch.get_num_threads()
    yield {
        "folder": str(tmp_path / "theirs"),
        "model": "gpen-256",
        "weights": str(weights),
        "device": "cpu",
        "budget": dataclasses.asdict(TINY),
    }
    torch.set_num_threads(threads)
    sys.modules.pop("gpen_model", None)


def checkout(tmp_path: Path, code: str) -> Path:
    folder = tmp_path / "theirs"
    (folder / "face_model").mkdir(parents=True)
    (folder / "face_model" / "gpen_model.py").write_text(code, encoding="utf-8")
    return folder


def test_the_same_network_gives_the_same_picture(request_for: dict[str, Any], tmp_path: Path) -> None:
    checkout(tmp_path, NETWORK.replace("{sign}", ""))
    path = list(sys.path)
    found = upstream._work(request_for)
    assert found["same"]
    assert found["mean_levels"] < STRICT.mean  # in whatever precision ours is fastest at this moment
    assert found["largest_levels"] < STRICT.most
    assert TINY.least <= found["pairs"] <= TINY.most
    assert found["ratio"] == pytest.approx(found["upstream_ms"]["p50"] / found["ours_ms"]["p50"], abs=0.01)
    assert sys.path == path


def test_another_network_is_noticed(request_for: dict[str, Any], tmp_path: Path) -> None:
    checkout(tmp_path, NETWORK.replace("{sign}", "-"))
    found = upstream._work(request_for)
    assert not found["same"]
    assert found["mean_levels"] > 5


def test_cuda_is_hidden_for_the_import_alone(
    request_for: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    checkout(tmp_path, NETWORK.replace("{sign}", ""))
    upstream.load_upstream(tmp_path / "theirs", "gpen-256", Path(request_for["weights"]), torch.device("cpu"))
    assert torch.cuda.is_available()


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("import there_is_no_such_module", "upstream.import"),
        ("def broken(:", "upstream.import"),
        ("x = 1", "upstream.no_generator"),
        ("class FullGenerator: pass", "upstream.unbuildable"),
        (
            "import torch\nclass FullGenerator(torch.nn.Linear):\n    def __init__(self, *_, **__): super().__init__(2, 2)",
            "upstream.parameters",
        ),
    ],
)
def test_foreign_code_that_does_not_fit_is_refused(request_for: dict[str, Any], tmp_path: Path, code: str, key: str) -> None:
    checkout(tmp_path, code)
    with pytest.raises(GpenLiveError, check=says(key)):
        upstream._work(request_for)


def test_networks_take_turns_on_the_same_pictures() -> None:
    calls: list[tuple[str, int]] = []
    pictures = [torch.full((1,), float(i)) for i in range(3)]

    def network(name: str) -> Any:
        def run(picture: torch.Tensor) -> torch.Tensor:
            calls.append((name, int(picture)))
            return picture

        return run

    turns = tuple((network(name), lambda: None) for name in ("a", "b"))
    taken = upstream.take_turns((turns[0], turns[1]), pictures, Budget(10.0, 2, 4, 1), lambda: None)
    assert [len(each) for each in taken] == [4, 4]
    pairs = [calls[i : i + 2] for i in range(0, len(calls), 2)]
    assert [pair[0][1] for pair in pairs] == [0, 1, 2, 0, 1]
    assert all({name for name, _ in pair} == {"a", "b"} and pair[0][1] == pair[1][1] for pair in pairs)
    assert {pair[0][0] for pair in pairs} == {"a", "b"}, "each goes first in turn"


def test_the_errors_of_the_process_arrive(request_for: dict[str, Any], tmp_path: Path) -> None:
    folder = checkout(tmp_path, "raise ImportError('no ops')")
    weights = Path(request_for["weights"])
    with pytest.raises(GpenLiveError, check=says("upstream.import", reason="no ops")):
        upstream.time_rival(folder, "gpen-256", weights, "cpu", TINY, lambda: True, own_weights=False)


def test_only_a_checkout_of_upstream_is_taken(tmp_path: Path) -> None:
    for word in ("upstream", "upstream=", "gfpgan=x", ""):
        with pytest.raises(UsageError, check=says("upstream.word", word=word)):
            upstream.check_against(word)
    with pytest.raises(GpenLiveError, check=says("upstream.no_checkout", folder=tmp_path)):
        upstream.check_against(f"upstream={tmp_path}")
    assert upstream.check_against(f"upstream={checkout(tmp_path, '')}") == tmp_path / "theirs"
