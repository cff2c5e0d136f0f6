"""A network on the processor: what it gives back, how it finds its way to run, and what the next start remembers of that."""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpen_live.inference import autotune_cpu, host
from gpen_live.inference import measurements as store
from gpen_live.inference.autotune_cpu import HostNetwork, Pictures, Way, sample_crop
from gpen_live.inference.enhancer import NetworkError
from gpen_live.inference.host import HostEnhancer
from gpen_live.models.registry import get
from gpen_live.system.folders import HOME_VARIABLE
from tests.messages.says import says

SPEC = dataclasses.replace(get("lite-256"), size=32)
PICTURES = np.zeros((2, 3, 64, 96), np.float32)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for what is remembered, one core and little time."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setattr("gpen_live.inference.autotune_cpu.psutil.cpu_count", lambda logical: 1)
    monkeypatch.setattr(autotune_cpu, "STEADY", float("inf"))  # whatever else the tests' machine does
    monkeypatch.setattr(host, "_HASTY_S", 0.01)
    monkeypatch.setattr(host, "_PATIENT_S", 0.01)
    return tmp_path


class Ways:
    """OpenVINO's, faked: each takes so many seconds and adds so much to a picture. `made`: in which precisions, in turn."""

    def __init__(self, **seconds: float) -> None:
        self.seconds = seconds
        self.change = 0.0
        self.made: list[str] = []
        self.calls = 0
        self.fail = False

    def __call__(self) -> list[Way]:
        return [Way("OpenVINO", precision, self._maker(precision)) for precision in self.seconds]

    def _maker(self, precision: str) -> Callable[[int], HostNetwork]:
        def run(pictures: Pictures, previous: Pictures | None) -> Pictures:
            self.calls += 1
            time.sleep(self.seconds[precision])
            return pictures + np.float32(self.change)

        def make(threads: int) -> HostNetwork:
            if self.fail:
                raise RuntimeError("no such instruction")
            self.made.append(precision)
            return run

        return make


def plain(network: HostNetwork, *, memory: bool = False) -> HostEnhancer:
    return HostEnhancer(SPEC, [Way("OpenVINO", "fp32", lambda threads: network)], stride=32, memory=memory)


def test_pictures_are_clamped_and_the_caller_s_own() -> None:
    pictures = sample_crop(64)
    kept = pictures.copy()
    out = plain(lambda pictures, previous: pictures * 2)(pictures)
    assert np.array_equal(out, (kept * 2).clip(-1, 1))
    same = plain(lambda pictures, previous: pictures)(pictures)
    same[:] = 0
    assert np.array_equal(pictures, kept)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_refused(wrong: float) -> None:
    def one_spot(pictures: Pictures, previous: Pictures | None) -> Pictures:
        out = pictures.copy()
        out[1, 2, 3, 4] = wrong
        return out

    with pytest.raises(NetworkError, check=says("network.not_finite", name="lite-256")):
        plain(one_spot)(PICTURES)


def test_another_shape_and_what_fails_are_sentences() -> None:
    def fail(pictures: Pictures, previous: Pictures | None) -> Pictures:
        raise RuntimeError("out of memory\nmore")

    with pytest.raises(NetworkError, check=says("network.shape", shape=(1, 3, 64, 96))):
        plain(lambda pictures, previous: pictures[:1])(PICTURES)
    with pytest.raises(NetworkError, check=says("network.failed", name="lite-256", reason="out of memory")):
        plain(fail)(PICTURES)
    with pytest.raises(NetworkError, check=says("network.failed", name="lite-256")):
        plain(fail).warm_up()


def test_only_a_network_with_a_memory_sees_the_picture_before() -> None:
    def before(pictures: Pictures, previous: Pictures | None) -> Pictures:
        return pictures if previous is None else previous

    last = np.full_like(PICTURES, 0.5)
    assert (plain(before, memory=True)(PICTURES, last) == 0.5).all()
    assert (plain(before)(PICTURES, last) == 0).all()


def test_who_watches_the_network_gets_in_between() -> None:
    one = plain(lambda pictures, previous: pictures)
    one.surround(lambda network: lambda pictures, previous: network(pictures, previous) + np.float32(0.25))
    assert (one(PICTURES) == 0.25).all()


def warmed(ways: Ways, fingerprint: str = "weights", *, thorough: bool = False) -> HostEnhancer:
    one = HostEnhancer(SPEC, ways(), stride=32)
    one.warm_up(thorough=thorough, fingerprint=fingerprint)
    return one


def test_the_winner_is_remembered_and_proven_with_a_call() -> None:
    ways = Ways(fp32=0.02, bf16=0.01, int8=0.001)
    first = warmed(ways)
    assert (first.runtime, first.precision, first.threads) == ("OpenVINO", "int8", 1)
    assert ways.made == ["fp32", "bf16", "int8"]
    ways.made.clear()
    ways.calls = 0
    again = warmed(ways)
    assert ways.made == ["int8"], "the others are not even made"
    assert ways.calls <= 2
    assert (again.runtime, again.precision, again.threads) == ("OpenVINO", "int8", 1)
    assert again.candidates == first.candidates
    assert again.notes == []


def test_warming_up_once_is_enough() -> None:
    ways = Ways(fp32=0.0)
    one = warmed(ways)
    ways.made.clear()
    one.warm_up(fingerprint="weights")
    assert ways.made == []


def test_other_weights_a_new_runtime_or_a_thorough_look_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = Ways(fp32=0.01, int8=0.001)
    warmed(ways)
    for fingerprint, thorough, version in (("others", False, "1"), ("weights", True, "1"), ("weights", False, "9999")):
        ways.made.clear()
        monkeypatch.setattr("gpen_live.inference.host.importlib.metadata.version", lambda name, version=version: version)
        warmed(ways, fingerprint, thorough=thorough)
        assert ways.made[:2] == ["fp32", "int8"], (fingerprint, thorough, version)


def test_a_winner_that_gives_another_picture_now_is_measured_again() -> None:
    ways = Ways(fp32=0.01, int8=0.001)
    warmed(ways)
    ways.made.clear()
    ways.change = 0.02  # 2.5 levels
    warmed(ways)
    assert ways.made == ["int8", "fp32", "int8"]


def test_a_winner_that_fails_now_gives_way_to_what_runs() -> None:
    ways = Ways(fp32=0.01, int8=0.001)
    warmed(ways)
    ways.fail = True
    with pytest.raises(NetworkError, check=says("network.failed")):
        warmed(ways)


def test_what_was_measured_while_the_machine_was_busy_is_measured_again() -> None:
    ways = Ways(fp32=0.2, int8=0.1)
    assert warmed(ways).precision == "int8"
    ways.seconds.update(fp32=0.001, int8=0.01)
    assert warmed(ways).precision == "fp32"


def test_what_was_measured_beside_other_work_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune_cpu, "STEADY", 1.3)
    made: list[str] = []

    def make(threads: int) -> HostNetwork:
        made.append("fp32")
        held_up = itertools.cycle([0.001, 0.03, 0.03])

        def run(pictures: Pictures, previous: Pictures | None) -> Pictures:
            time.sleep(next(held_up))
            return pictures

        return run

    for _ in range(2):
        HostEnhancer(SPEC, [Way("OpenVINO", "fp32", make)], stride=32).warm_up(fingerprint="weights")
    assert store.recall(host._key("weights")) is None
    assert len(made) == 2


def test_what_went_wrong_is_told_on_every_start() -> None:
    ways = Ways(fp32=0.01, int8=0.0)

    def enhancer() -> HostEnhancer:
        wrong = Way("OpenVINO", "bf16", lambda threads: lambda pictures, previous: pictures + np.float32(0.5))
        one = HostEnhancer(SPEC, [*ways(), wrong], stride=32)
        one.warm_up(fingerprint="weights")
        return one

    assert [len(enhancer().notes), len(enhancer().notes)] == [1, 1]


def test_pytorch_is_asked_only_where_nothing_else_runs_or_all_is_to_be_measured() -> None:
    asked: list[str] = []

    def in_pytorch() -> list[Way]:
        asked.append("PyTorch")
        return [Way("PyTorch", "fp32", lambda threads: lambda pictures, previous: pictures)]

    def warm(ways: Ways, *, thorough: bool = False) -> HostEnhancer:
        one = HostEnhancer(SPEC, ways(), stride=32, in_pytorch=in_pytorch)
        one.warm_up(thorough=thorough)
        return one

    assert warm(Ways(fp32=0.0)).runtime == "OpenVINO"
    assert asked == []
    warm(Ways(fp32=0.01), thorough=True)
    assert asked == ["PyTorch"]
    failing = Ways(fp32=0.0)
    failing.fail = True
    assert warm(failing).runtime == "PyTorch"
    assert warm(Ways()).runtime == "PyTorch"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ROW = ["OpenVINO", "fp32", 1, 5.0, True, 0.0, 0.0]
ROWS = st.tuples(st.integers(0, 6), SCALARS).map(lambda change: [*ROW[: change[0]], change[1], *ROW[change[0] + 1 :]])
REMEMBERED = st.fixed_dictionaries(
    {
        "candidates": SCALARS | st.lists(ROWS | SCALARS | st.lists(SCALARS, max_size=7), max_size=3),
        "seen": st.just([0.0] * 192) | st.lists(SCALARS, max_size=3),
    }
)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SCALARS | st.lists(SCALARS, max_size=3) | REMEMBERED)
def test_whatever_the_file_holds_the_network_is_measured_or_proven(home: Path, held: object) -> None:
    ways = Ways(fp32=0.0)
    (home / "measured.json").write_text(json.dumps({host._key("weights"): held}))
    one = warmed(ways)
    assert (one.runtime, one.precision, one.threads) == ("OpenVINO", "fp32", 1)
    assert store.recall(host._key("weights")) is not None
