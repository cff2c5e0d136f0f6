"""How the fastest way to run a network on this processor is found, and what is told about the others."""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np
import pytest

from gpen_live.inference.autotune_cpu import Contest, HostNetwork, Pictures, Way, sample_crop
from gpen_live.messages import Message, message
from gpen_live.models.architectures import LIGHT, STRICT, Tolerance


def way(precision: str, seconds: float, change: float = 0.0) -> Way:
    def run(pictures: Pictures, previous: Pictures | None) -> Pictures:
        time.sleep(seconds)
        return pictures + np.float32(change)

    return Way("OpenVINO", precision, lambda threads: run)


def contest(*entries: Way, wanted: str | None = None, tolerance: Tolerance = LIGHT) -> tuple[Contest, list[Message]]:
    notes: list[Message] = []
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
        assert notes == [message("network.other_pictures", runtime="OpenVINO", precision="int8")]


def test_how_far_a_picture_may_be_off_depends_on_the_network() -> None:
    off = way("fp32", 0.01), way("bf16", 0.0, 0.01)  # by 1.3 levels everywhere
    assert chosen(contest(*off)[0]) == "bf16"
    assert chosen(contest(*off, tolerance=STRICT)[0]) == "fp32"

    def spot(pictures: Pictures, previous: Pictures | None) -> Pictures:
        changed = pictures.copy()
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

        def __call__(self, pictures: Pictures, previous: Pictures | None) -> Pictures:
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

    def slow(pictures: Pictures, previous: Pictures | None) -> Pictures:
        calls.append(1)
        time.sleep(0.6)
        return pictures

    one, _ = contest(Way("PyTorch", "fp32", lambda threads: slow))
    assert len(calls) == 1
    assert one.best()[0][0].ms >= 600


def test_what_fails_is_left_out_with_its_reason() -> None:
    def fail(threads: int) -> HostNetwork:
        raise RuntimeError("no such instruction\nmore")

    one, notes = contest(way("fp32", 0.0), Way("OpenVINO", "int8", fail))
    assert chosen(one) == "fp32"
    told = message("network.fails_on_processor", runtime="OpenVINO", precision="int8", reason="no such instruction")
    assert notes == [told]
    with pytest.raises(RuntimeError, match="no such instruction"):
        contest(Way("PyTorch", "fp32", fail))[0].best()


@pytest.mark.parametrize("size", [16, 256])
def test_the_sample_is_always_the_same_and_like_a_picture(size: int) -> None:
    crop = sample_crop(size)
    assert crop.shape == (1, 3, size, size)
    assert crop.dtype == np.float32
    assert np.array_equal(crop, sample_crop(size))
    assert -1 <= crop.min() < -0.5
    assert 0.5 < crop.max() <= 1
