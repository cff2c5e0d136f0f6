"""The command: what it refuses before it starts, what it writes, and Ctrl-C."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gpen_live.bench.measure import Options
from gpen_live.bench.plan import Step
from gpen_live.bench.results import Bench, as_json
from gpen_live.cli import main
from tests.bench.figures import bench, network

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path / "home"))

    def run(*words: str | Path) -> tuple[int, str, str]:
        code = main(["bench", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return run


class FakeMeasurement:
    """Three steps; the second one is where `act` happens."""

    seen: Options
    act: Callable[[Bench], None]

    def __init__(self, options: Options, folder: Path) -> None:
        FakeMeasurement.seen = options
        self.bench = Bench("1", "cpu (Fake)", str(options.size), options.source)
        self.steps = [
            Step("one", 1.0, lambda _: self.bench.networks.append(network("lite-256", 5.0))),
            Step("two", 1.0, lambda _: FakeMeasurement.act(self.bench)),
            Step("three", 1.0, lambda _: self.bench.networks.append(network("gpen-256", 50.0))),
        ]


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What Ctrl-C sets."""
    event = threading.Event()
    monkeypatch.setattr("gpen_live.bench.measure.Measurement", FakeMeasurement)
    monkeypatch.setattr("gpen_live.cli.bench.on_interrupt", lambda: event)
    FakeMeasurement.act = lambda _: None
    return event


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "x"], "lite-256"),
        (["--size", "huge"], "WIDTHxHEIGHT"),
        (["--mode", "half"], "roi"),
        (["--only", "nothing"], "networks"),
        (["--device", "gpu"], "auto, cpu, cuda"),
        (["--against", "gfpgan=x"], "upstream=DIR"),
        (["--chart", "x.svg"], ".png"),
        (["--json", "same", "--markdown", "same"], "same name"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_loaded(call: Call, words: list[str], sentence: str) -> None:
    code, _, err = call(*words)
    assert code == 2
    assert sentence in err


def test_what_cannot_be_read_or_written_is_refused_before_the_run(call: Call, tmp_path: Path) -> None:
    for words, sentence in (
        (["--json", tmp_path / "no" / "b.json"], "does not exist"),
        (["--markdown", tmp_path], "is a folder"),
        (["--chart", tmp_path / "no" / "c.png"], "does not exist"),
        (["--frames", tmp_path / "missing.mp4"], "missing.mp4"),
        (["--against", f"upstream={tmp_path}"], "is not a checkout of GPEN"),
        (["--load", tmp_path / "missing.json"], "missing.json"),
    ):
        code, _, err = call(*words)
        assert code == 1, words
        assert sentence in err


def test_an_earlier_run_is_shown_written_and_drawn(call: Call, tmp_path: Path) -> None:
    earlier, tables, chart, copy = (tmp_path / name for name in ("a.json", "b.md", "c.png", "d.json"))
    earlier.write_text(json.dumps(as_json(bench())), encoding="utf-8")
    code, out, _ = call("--load", earlier, "--markdown", tables, "--chart", chart, "--report", copy)
    assert code == 0
    assert "cuda:0 (A Card)" in out
    assert "| gpen-512" in tables.read_text(encoding="utf-8")
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert json.loads(copy.read_text()) == json.loads(earlier.read_text())
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.usefixtures("interrupted")
def test_the_time_is_said_first_and_a_whole_run_is_complete(call: Call, tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    code, out, err = call("--report", report, "--size", "1920x1080", "--quick", "--mode", "full")
    assert code == 0
    assert "about 3 seconds" in err
    assert "cpu (Fake)" in out
    found = json.loads(report.read_text())
    assert found["complete"]
    assert [one["model"] for one in found["networks"]] == ["lite-256", "gpen-256"]
    seen = FakeMeasurement.seen
    assert (str(seen.size), seen.quick, [mode.value for mode in seen.modes]) == ("1920x1080", True, ["full"])
    assert list(seen.models) == ["lite-256", "gpen-256", "gpen-512"]
    call()
    assert list(FakeMeasurement.seen.models)[-1] == "gpen-2048"


def test_ctrl_c_writes_what_was_measured_and_says_so(call: Call, tmp_path: Path, interrupted: threading.Event) -> None:
    FakeMeasurement.act = lambda _: interrupted.set()
    report, tables, chart = (tmp_path / name for name in ("r.json", "r.md", "r.png"))
    code, out, err = call("--json", report, "--markdown", tables, "--chart", chart)
    assert code == 0
    assert "Interrupted" in err
    assert "Incomplete" in out
    found = json.loads(report.read_text())
    assert not found["complete"]
    assert [one["model"] for one in found["networks"]] == ["lite-256"]
    assert "Incomplete" in tables.read_text(encoding="utf-8")
    assert chart.is_file()


@pytest.mark.usefixtures("interrupted")
def test_what_failed_is_said_at_the_end_and_the_rest_is_kept(call: Call, tmp_path: Path) -> None:
    FakeMeasurement.act = lambda bench: bench.failures.append("gpen-2048: too large.")
    report = tmp_path / "r.json"
    code, _, err = call("--report", report)
    assert code == 1
    assert "gpen-2048: too large." in err
    found = json.loads(report.read_text())
    assert not found["complete"]
    assert len(found["networks"]) == 2
