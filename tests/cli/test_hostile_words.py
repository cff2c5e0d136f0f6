"""Any words at all on the command line end with an exit code and, where they are refused, with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpen_live.cli import main, run

VALUES = (
    *("", " ", "-", "--", "-1", "0", "1e999", "nan", "inf", "-inf", "9" * 20, "9" * 5000, "0x10", "\u0663", "½", "1_000", "1,5"),
    *("16x16", "x", "1x", "99999x1", "roi", "cuda:-1", "cuda:\u0663", "cuda:" + "9" * 30, "cpu", "auto", "lite-256", "detector"),
    *("demo", "vcam:", "vcam:\u0663", "camera:", "/dev/video", "https://host/film.mp4", "file:///film.mp4", "missing/a.mp4"),
    *("x" * 5000, "x" * 5000 + ".mp4", "x/" * 3000, "x/" * 3000 + "a.mp4", "\udcff", "\udcff.mp4", "\U0001f642", "a\nb", "%s%n"),
    *("off", "glam", "=", "smooth=", "smooth=1", "smooth=nan", "smooth=9e999", "lips_color=#12345\u0663", "keep_moles=\udcff"),
    *("$(reboot)", "../../x", "~", ".", "/", "NUL", "*", "x" * 5000 + ".png", "missing/a.png"),
)
OPTIONS = (
    *("--source", "--sink", "--size", "--fps", "--mode", "--model", "--weights", "--strength", "--device", "--leave-room"),
    *("--beauty", "--beauty-amount", "--beauty-set"),
    *("--frames", "--seconds", "--report", "--overlay", "--as-fast-as-possible", "--headless", "--nonsense", "--debug=1", "-x"),
)
COMMANDS = ("run", "enhance", "models", "doctor", "bench", "evaluate", "soak", "nonsense", "", "--", "\udcff")
TEXT = st.text(st.characters(exclude_characters="\0"), max_size=8)  # no system passes on a NUL
WORD = st.sampled_from(OPTIONS) | st.sampled_from(VALUES)
WORDS = st.lists(WORD | st.tuples(st.sampled_from(OPTIONS), st.sampled_from(VALUES)).map("=".join) | TEXT, max_size=6)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is there, and what would take long (the pipeline itself) is not started."""
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "display_available", lambda: False)
    monkeypatch.setattr(run, "run_headless", lambda *_, **__: 0)
    return tmp_path


def refused_in_a_sentence(words: list[str], folder: Path, capfd: pytest.CaptureFixture[str]) -> bool:
    code = main(words)
    _, err = capfd.readouterr()
    assert code in (0, 1, 2)
    assert "Traceback" not in err
    assert "Something unexpected" not in err, "each has a sentence of its own"
    if code:
        assert err.strip()
    assert list(folder.iterdir()) == [], "nothing is written by what is refused or not started"
    return code != 0


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(COMMANDS), WORDS)
def test_any_words_end_in_a_sentence(empty: Path, capfd: pytest.CaptureFixture[str], command: str, words: list[str]) -> None:
    words = [word for word in words if word != "--debug"]
    if command in ("models", "doctor", "bench", "evaluate", "soak"):
        words = [*words, "--no-such-option"]  # what they do has tests of its own
    refused_in_a_sentence([command, *words], empty, capfd)


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.startswith("--")])
def test_each_option_of_a_run_with_each_value(empty: Path, capfd: pytest.CaptureFixture[str], option: str) -> None:
    refused = [refused_in_a_sentence(["run", "--headless", option, value], empty, capfd) for value in VALUES]
    assert any(refused)


def test_each_value_as_a_photo(empty: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for value in VALUES:
        for words in (["enhance", value, "out.png"], ["enhance", "--", value, value], ["enhance", "in.png", value]):
            assert refused_in_a_sentence(words, empty, capfd), words
