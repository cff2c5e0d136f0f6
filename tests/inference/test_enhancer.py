"""How an enhancer finds the fastest way to run its network, and what it tells about it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
import torch

from gpen_live.inference import enhancer
from gpen_live.inference.autotune_cpu import LIGHT, STRICT, Contest, Tolerance, Way
from gpen_live.inference.enhancer import NetworkError, load_enhancer
from gpen_live.models import files
from gpen_live.models.registry import get, locate

if TYPE_CHECKING:
    from gpen_live.inference.autotune_cpu import Network

CPU = torch.device("cpu")


def way(precision: str, seconds: float, change: float = 0.0) -> Way:
    def run(pictures: torch.Tensor, previous: torch.Tensor | None) -> torch.Tensor:
        time.sleep(seconds)
        return pictures + change

    return Way("OpenVINO", precision, lambda threads: run)


def contest(*entries: Way, wanted: str | None = None, tolerance: Tolerance = LIGHT) -> tuple[Contest, list[str]]:
    notes: list[str] = []
    one = Contest(32, memory=False, budget_s=0.01, notes=notes, wanted=wanted, tolerance=tolerance)
    for entry in entries:
        one.enter(entry, 1)
    return one, notes


def chosen(one: Contest) -> str:
    (winner,) = (candidate for candidate in one.best()[0] if candidate.chosen)
    return winner.precision


def test_the_fastest_is_taken_and_all_are_told() -> None:
    three = way("fp32", 0.02), way("bf16", 0.01), way("int8", 0.002)
    one, notes = contest(*three)
    assert chosen(one) == "int8"
    assert [c.precision for c in one.best()[0]] == ["fp32", "bf16", "int8"]
    assert all(c.ms > 1 for c in one.best()[0])
    assert notes == []
    assert chosen(contest(*three, wanted="fp32")[0]) == "fp32"
    assert chosen(contest(*three, wanted="bf16")[0]) == "bf16"
    assert chosen(contest(*three, wanted="absent")[0]) == "int8"


def test_the_more_exact_stays_unless_clearly_beaten() -> None:
    assert chosen(contest(way("fp32", 0.02), way("bf16", 0.0195))[0]) == "fp32"


def test_wrong_pictures_never_win() -> None:
    for change in (0.1, float("nan")):
        one, notes = contest(way("fp32", 0.01), way("int8", 0.0, change))
        assert chosen(one) == "fp32"
        assert notes == ["OpenVINO in int8 gives other pictures than PyTorch on this processor; it is not used."]


def test_how_far_a_picture_may_be_off_depends_on_the_network() -> None:
    off = way("fp32", 0.01), way("bf16", 0.0, 0.01)  # by 1.3 levels everywhere
    assert chosen(contest(*off)[0]) == "bf16"
    assert chosen(contest(*off, tolerance=STRICT)[0]) == "fp32"

    def spot(pictures: torch.Tensor, previous: torch.Tensor | None) -> torch.Tensor:
        changed = pictures.clone()
        changed[0, 0, 0, 0] *= -1
        return changed

    one, notes = contest(way("fp32", 0.01), Way("OpenVINO", "bf16", lambda threads: spot), tolerance=STRICT)
    assert chosen(one) == "fp32"
    assert len(notes) == 1


def test_one_network_at_a_time_is_held() -> None:
    class Heavy:
        alive: ClassVar[set[int]] = set()
        most: ClassVar[int] = 0

        def __init__(self, seconds: float) -> None:
            self.seconds = seconds
            Heavy.alive.add(id(self))
            Heavy.most = max(Heavy.most, len(Heavy.alive))

        def __call__(self, pictures: torch.Tensor, previous: torch.Tensor | None) -> torch.Tensor:
            time.sleep(self.seconds)
            return pictures

        def __del__(self) -> None:
            Heavy.alive.discard(id(self))

    ways = [Way("OpenVINO", name, lambda _, s=s: Heavy(s)) for name, s in (("fp32", 0.01), ("bf16", 0.001), ("int8", 0.02))]  # type: ignore[misc]
    for entries, names in ((ways, "bf16"), (ways[:2], "bf16"), (ways[:1], "fp32")):
        one, _ = contest(*entries)
        told, network = one.best()
        assert [c.precision for c in told if c.chosen] == [names]
        assert isinstance(network, Heavy)
        assert network.seconds == (0.001 if names == "bf16" else 0.01)
        del one, network
    assert Heavy.most == 1
    assert not Heavy.alive


def test_a_slow_network_is_measured_once() -> None:
    calls = []

    def slow(pictures: torch.Tensor, previous: torch.Tensor | None) -> torch.Tensor:
        calls.append(1)
        time.sleep(0.6)
        return pictures

    one, _ = contest(Way("PyTorch", "fp32", lambda threads: slow))
    assert len(calls) == 1
    assert one.best()[0][0].ms >= 600


def test_what_fails_is_left_out_with_its_reason() -> None:
    def fail(threads: int) -> Network:
        raise RuntimeError("no such instruction\nmore")

    one, notes = contest(way("fp32", 0.0), Way("OpenVINO", "int8", fail))
    assert chosen(one) == "fp32"
    assert notes == ["OpenVINO in int8 fails on this processor (no such instruction)."]
    with pytest.raises(RuntimeError, match="fails on this processor"):
        contest(Way("PyTorch", "fp32", fail))[0].best()


@pytest.fixture
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, little time."""
    monkeypatch.setattr("gpen_live.inference.autotune_cpu.psutil.cpu_count", lambda logical: 1)
    monkeypatch.setattr(enhancer, "_HASTY_S", 0.01)
    monkeypatch.setattr(enhancer, "_PATIENT_S", 0.01)


def kinds(one: enhancer.Enhancer) -> set[tuple[str, str]]:
    return {(c.runtime, c.precision) for c in one.candidates}


@pytest.mark.usefixtures("one_core")
def test_the_shipped_network_measures_8_bits_too() -> None:
    one = load_enhancer("lite-256", None, CPU)
    assert kinds(one) >= {("PyTorch", "fp32"), ("OpenVINO", "fp32"), ("OpenVINO", "int8")}
    (winner,) = (c for c in one.candidates if c.chosen)
    assert (one.runtime, one.precision, one.threads) == (winner.runtime, winner.precision, winner.threads)
    assert one.notes == []
    for shape in ((2, 3, 256, 256), (1, 3, 64, 96)):
        assert one(torch.zeros(shape)).shape == shape


@pytest.mark.usefixtures("one_core")
def test_8_bits_by_name_are_8_bits() -> None:
    one = load_enhancer("lite-256-int8", None, CPU)
    assert (one.runtime, one.precision) == ("OpenVINO", "int8")


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("name", ["lite-256", "lite-256-int8"])
def test_without_openvino_pytorch_remains_and_a_note_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    one = load_enhancer(name, None, CPU)
    assert one.runtime == "PyTorch"
    assert {runtime for runtime, _ in kinds(one)} == {"PyTorch"}
    assert len(one.notes) == 1
    assert "OpenVINO does not load" in one.notes[0]
    assert one(torch.zeros(1, 3, 256, 256)).shape == (1, 3, 256, 256)


@pytest.mark.usefixtures("one_core")
def test_other_weights_do_not_get_the_shipped_8_bits(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    network = files.load_network(get("lite-256"), locate(get("lite-256")))
    from gpen_live.nets.torch_lite import Lite
    from gpen_live.training.lite import serialise

    assert isinstance(network, Lite)
    other.write_bytes(serialise(network, steps=1))
    one = load_enhancer("lite-256", other, CPU)
    assert ("OpenVINO", "fp32") in kinds(one)
    assert "int8" not in {precision for _, precision in kinds(one)}


@pytest.mark.usefixtures("one_core")
def test_without_the_8_bit_file_a_note_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = locate(get("lite-256"))
    monkeypatch.setattr("gpen_live.models.registry.shipped_folder", lambda: tmp_path)
    one = load_enhancer("lite-256", here, CPU)
    assert "int8" not in {precision for _, precision in kinds(one)}
    assert [note.partition(":")[0] for note in one.notes] == ["Without 8 bits"]


def test_a_network_that_fails_at_once_is_a_sentence() -> None:
    class Broken(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("out of memory\nmore")

    with pytest.raises(NetworkError, match=r"lite-256 failed .*out of memory"):
        enhancer.Enhancer(Broken(), get("lite-256"), CPU).warm_up()
