"""How the program starts: what OpenCV finds, a start without a terminal, and the log that stays."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpen_live import privacy
from gpen_live.system.folders import log_file

ROOT = Path(__file__).resolve().parents[2]
NO_CAMERA = ("run", "--headless", "--source", "camera:99", "--frames", "1")

WATCHED = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "cv2":
            sys.meta_path.remove(self)
            print("OPENCV", *(name for name in sorted(os.environ) if name.startswith("OPENCV_")), flush=True)

sys.meta_path.insert(0, Watch())
from gpen_live.cli import entry
entry()
"""

WINDOWED = """
import sys
sys.stdout = sys.stderr = None  # as pythonw and windowed bundles start
from gpen_live.cli import entry
entry()
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "annabel"
    folder.mkdir()
    return folder


def python(home: Path, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENCV", "QT_", "DISPLAY", "GPEN"))}
    environment = {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), "GPEN_LIVE_HOME": str(home / "data")}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=240)


def test_opencv_finds_its_settings_when_it_is_loaded(home: Path) -> None:
    done = python(home, WATCHED, *NO_CAMERA)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("OPENCV "))
    assert line.split()[1:] == [
        "OPENCV_AVFOUNDATION_SKIP_AUTH",
        "OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS",
        "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT",
    ]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("models", "list"), 0),
        (("--version",), 0),
        (("doctor", "--help"), 0),
        (("run", "--nonsense"), 2),
        (("run", "--headless", "--source", "no-such-film.mp4"), 1),
        (("enhance", "no-such-photo.jpg", "out.png"), 1),
    ],
)
def test_a_start_without_a_terminal_does_what_it_would_do_with_one(home: Path, words: tuple[str, ...], code: int) -> None:
    assert python(home, WINDOWED, *words).returncode == code


def test_a_run_without_a_terminal_ends_in_order(home: Path) -> None:
    report = home / "r.json"
    words = ("run", "--headless", "--size", "320x180", "--frames", "5", "--report", str(report))
    done = python(home, WINDOWED, *words)
    assert done.returncode == 0, done.stderr
    assert report.is_file()


def test_what_went_wrong_is_in_a_log_that_names_nobody(home: Path) -> None:
    film = home / "holiday.mp4"
    film.write_text("no film at all")
    assert python(home, WINDOWED, "run", "--headless", "--source", str(film)).returncode == 1
    log = (home / "data" / "gpen-live.log").read_text(encoding="utf-8")
    assert "FILE.mp4" in log
    for private in ("annabel", "holiday", str(home)):
        assert private not in log


def test_where_nothing_went_wrong_there_is_no_log(home: Path) -> None:
    assert python(home, WINDOWED, "models", "list").returncode == 0
    assert not list(home.rglob("*.log*"))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path))
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield log_file()
    for handler in [each for each in root.handlers if each not in before]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def test_the_log_is_never_large(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert privacy._LARGEST_LOG <= 500_000
    monkeypatch.setattr(privacy, "_LARGEST_LOG", 5000)
    privacy.log_to_file(log)
    for number in range(100):
        logging.getLogger("gpen_live").warning("%d %s", number, "x" * 200)
    files = list(log.parent.glob("gpen-live.log*"))
    assert len(files) == 2
    assert sum(file.stat().st_size for file in files) < 11_000
    assert "99 xxx" in log.read_text(encoding="utf-8")


def test_a_log_that_can_not_be_written_stops_nothing(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.parent.joinpath("file").write_text("")
    privacy.log_to_file(log.parent / "file" / "gpen-live.log")
    logging.getLogger("gpen_live").warning("a line")
    assert "Traceback" not in capsys.readouterr().err


def test_the_doctor_says_where_the_log_is(log: Path) -> None:
    from gpen_live.doctor import EXAMINATIONS

    check = dict(EXAMINATIONS)["Log"]()
    assert str(log) in check.found
    log.write_text("a line\n")
    assert dict(EXAMINATIONS)["Log"]().found != check.found
