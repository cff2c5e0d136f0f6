"""The command: what it refuses before it starts, what it writes, its exit code, and Ctrl-C."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gpen_live.cli import main
from gpen_live.soak.run import Going, Options
from gpen_live.soak.verdicts import as_json
from tests.soak.figures import soak

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path / "home"))

    def run(*words: str | Path) -> tuple[int, str, str]:
        code = main(["soak", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return run


class FakeSoaking:
    """Ends when it is told to."""

    seen: Options
    interrupted: threading.Event

    def __init__(self, options: Options) -> None:
        FakeSoaking.seen = options
        self.soak = soak()

    def run(self, going: Going) -> None:
        assert going(self.soak, 1.0, "all quiet")
        FakeSoaking.interrupted.set()
        assert not going(self.soak, 2.0, "all quiet")


@pytest.fixture(autouse=True)
def interrupted(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What Ctrl-C sets."""
    FakeSoaking.interrupted = threading.Event()
    monkeypatch.setattr("gpen_live.soak.run.Soaking", FakeSoaking)
    monkeypatch.setattr("gpen_live.cli.soak.on_interrupt", lambda: FakeSoaking.interrupted)
    return FakeSoaking.interrupted


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--hours", "0"], "--hours"),
        (["--hours", "nan"], "not a number between"),
        (["--speed", "9"], "--speed"),
        (["--faults", "many"], "--faults"),
        (["--faults", "0"], "--faults"),
        (["--seed", "-1"], "--seed"),
        (["--model", "x"], "lite-256"),
        (["--source", "http://x/y"], "address"),
        (["--sink", "nowhere"], "not a place"),
        (["--size", "160x90"], "too small"),
        (["--chart", "x.svg"], ".png"),
    ],
)
def test_wrong_usage_is_refused_before_anything_runs(call: Call, words: list[str], sentence: str) -> None:
    code, _, err = call(*words)
    assert code == 2
    assert sentence in err


def test_what_cannot_be_read_or_written_is_refused_before_the_run(call: Call, tmp_path: Path) -> None:
    for words in (["--json", tmp_path / "no" / "s.json"], ["--chart", tmp_path / "no" / "s.png"], ["--load", tmp_path / "no"]):
        code, _, err = call(*words)
        assert code == 1
        assert err.startswith("gpen-live: ")


def test_it_passes_on_what_was_asked_for_and_writes_figures_and_chart(call: Call, tmp_path: Path) -> None:
    report, chart = tmp_path / "s.json", tmp_path / "s.png"
    words = ("--hours", "2", "--size", "640x360", "--speed", "2", "--faults", "30", "--seed", "5", "--model", "lite-512")
    code, out, err = call(*words, "--json", report, "--chart", chart)
    assert code == 0, err
    assert FakeSoaking.seen == Options(
        seconds=7200, size=FakeSoaking.seen.size, model="lite-512", speed=2, faults_per_hour=30, seed=5
    )
    assert str(FakeSoaking.seen.size) == "640x360"
    assert "Memory grows" in out
    assert "Interrupted" in err
    assert json.loads(report.read_text())["verdicts"]
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_no_faults_is_a_wish(call: Call) -> None:
    assert call("--faults", "none")[0] == 0
    assert FakeSoaking.seen.faults_per_hour == 0


def test_an_earlier_run_is_shown_again_with_its_exit_code(call: Call, tmp_path: Path) -> None:
    for one, code in ((soak(), 0), (soak(backwards=1), 1)):
        path = tmp_path / "s.json"
        path.write_text(json.dumps(as_json(one)))
        found, out, _ = call("--load", path)
        assert found == code
        assert "No frame goes out after a newer one" in out
