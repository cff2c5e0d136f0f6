"""Nothing is sent anywhere, nothing listens, and what is written down names nobody: watched from inside and from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]

WATCHED = """
import sys, json

talk = []

def watch(event, arguments):
    if event in ("socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        talk.append([event, repr(arguments[1:])])
    if event == "pickle.find_class":
        talk.append([event, repr(arguments)])

sys.addaudithook(watch)
if "--provoked" in sys.argv:
    import pickle, socket
    pickle.loads(pickle.dumps(sys.exit))
    listener = socket.create_server(("127.0.0.1", 0))
    listener.listen()
from gpen_live.cli import leave, main
code = main([word for word in sys.argv[1:] if word != "--provoked"])
print("TALK " + json.dumps(talk))
leave(code)
"""


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    return {
        **kept,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "GPEN_LIVE_HOME": str(home / "gpen"),
        "PYTHONPATH": str(ROOT),
        **more,
    }


def run_watched(home: Path, *words: str, **more: str) -> tuple[list[list[str]], list[str], str]:
    """Runs the command line: what it said to the network, the sockets that it had open at any time, and all that it printed."""
    with (home.parent / "printed").open("w+", encoding="utf-8") as printed:
        process = subprocess.Popen(
            [sys.executable, "-c", WATCHED, *words], env=environment(home, **more), cwd=home, stdout=printed, stderr=printed
        )
        outside = psutil.Process(process.pid)
        sockets: set[str] = set()
        while process.poll() is None:
            try:
                sockets |= {f"{each.status} {each.laddr}" for each in outside.net_connections(kind="inet")}
            except psutil.Error:  # it has just ended
                break
            time.sleep(0.05)
        code = process.wait(timeout=120)
        printed.seek(0)
        text = printed.read()
    assert code == 0, text
    (line,) = (line for line in text.splitlines() if line.startswith("TALK "))
    return json.loads(line.removeprefix("TALK ")), sorted(sockets), text


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "annabel"
    folder.mkdir()
    return folder


def test_a_live_run_talks_to_nobody_and_its_log_names_no_home(home: Path) -> None:
    words = ("--debug", "run", "--headless", "--source", "demo", "--size", "320x180", "--seconds", "1", "--report", "r.json")
    talk, sockets, text = run_watched(home, *words)
    assert talk == []
    assert sockets == []
    report = (home / "r.json").read_text(encoding="utf-8")
    assert json.loads(report)["frames"]["sent"] > 0, "it did run"
    for written in (text, report):
        assert "annabel" not in written
        assert str(home) not in written
    kept = [path.name for path in home.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".mp4", ".log")]
    assert kept == [], "no picture is left behind, and no log where nothing went wrong"


def test_the_window_opens_no_port_either(home: Path) -> None:
    """Its second start is told through a socket of the system, which no network reaches."""
    words = ("run", "--source", "demo", "--size", "320x180", "--frames", "30", "--report", "r.json")
    talk, sockets, _ = run_watched(home, *words, QT_QPA_PLATFORM="offscreen")
    assert json.loads((home / "r.json").read_text(encoding="utf-8"))["frames"]["sent"] > 0, "it did run"
    assert talk == []
    assert sockets == []


def test_the_watch_would_see_a_port(home: Path) -> None:
    """Guards the test above, which would pass if nothing were seen."""
    talk, sockets, _ = run_watched(home, "--provoked", "models", "list")
    assert [event for event, _ in talk] == ["pickle.find_class", "socket.bind"]
    assert [each for each in sockets if each.startswith("LISTEN")]


@pytest.mark.parametrize("words", [("models", "list"), ("--help",), ("models", "fetch", "lite-256")])
def test_no_network_without_being_asked(home: Path, words: tuple[str, ...]) -> None:
    talk, sockets, text = run_watched(home, *words)
    assert talk == []
    assert sockets == []
    assert "annabel" not in text


def test_a_log_line_and_its_traceback_name_no_home(home: Path) -> None:
    code = """
import logging
from pathlib import Path
from gpen_live.cli import main
main(["--debug", "models", "list"])
try:
    (Path.home() / "no-such-film.mp4").open()
except OSError:
    logging.getLogger("gpen_live").exception("reading %s failed", Path.home() / "no-such-film.mp4")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(home), capture_output=True, text=True, check=True, cwd=home
    )
    assert "reading FILE.mp4 failed" in done.stderr
    assert "no-such-film" not in done.stderr.replace('"no-such-film.mp4"', ""), "but for the line of the program that names it"
    assert "FileNotFoundError" in done.stderr
    assert "annabel" not in done.stderr
