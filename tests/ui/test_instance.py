"""One window at a time: who is first, how it is brought to the front, and what a killed one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtNetwork import QLocalSocket
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from gpen_live.live.config import LiveConfig
from gpen_live.ui import instance
from gpen_live.ui.app import run_app
from gpen_live.ui.instance import Instance
from tests.faults import disk as disks

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QTimer
from gpen_live.ui.instance import Instance
app = QCoreApplication([])
instance = Instance(Path(sys.argv[1]))
assert instance.claim()
instance.asked_to_show.connect(lambda: print("shown", flush=True))
print("first", flush=True)
app.exec()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts another process that is first."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "first\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_the_second_one_is_told_and_the_first_one_shows_itself(
    qtbot: QtBot, tmp_path: Path, other: Callable[[], subprocess.Popen[str]]
) -> None:
    process = other()
    second = Instance(tmp_path)
    assert not second.claim()
    assert second.show_first()
    assert process.stdout is not None
    assert process.stdout.readline() == "shown\n"


def test_after_a_kill_the_next_start_is_clean(qtbot: QtBot, tmp_path: Path, other: Callable[[], subprocess.Popen[str]]) -> None:
    process = other()
    process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    process.wait()
    third = Instance(tmp_path)
    assert third.claim()
    asked: list[bool] = []
    third.asked_to_show.connect(lambda: asked.append(True))
    fourth = Instance(tmp_path)
    assert not fourth.claim()
    third.release()
    assert fourth.claim()
    fourth.release()
    assert not asked


def test_other_settings_are_another_instance(qtbot: QtBot, tmp_path: Path) -> None:
    first, second = Instance(tmp_path / "a"), Instance(tmp_path / "b")
    assert first.claim()
    assert second.claim()
    first.release()
    second.release()


def test_where_no_lock_can_be_made_everybody_is_first(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert Instance(tmp_path / "file" / "folder").claim()
    assert not Instance(tmp_path / "nobody").show_first()


@pytest.mark.parametrize("kind", disks.KINDS)
def test_a_full_disk_keeps_nobody_out(kind: str, qtbot: QtBot, tmp_path: Path) -> None:
    with disks.opened(kind, tmp_path / "disk") as disk:
        disk.leave(0)
        first = Instance(disk.folder)
        assert first.claim()
        first.release()
        disk.free()
        second = Instance(disk.folder)
        assert second.claim(), "what a lock that could not be written left is no lock"
        assert not Instance(disk.folder).claim()
        second.release()


def test_without_qt_s_network_library_the_lock_still_holds(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "HAS_SOCKETS", False)
    first, second = Instance(tmp_path), Instance(tmp_path)
    assert first.claim()
    assert not second.claim()
    assert not second.show_first()
    first.release()


def test_strangers_get_no_answer(qtbot: QtBot, tmp_path: Path) -> None:
    first = Instance(tmp_path)
    assert first.claim()
    asked: list[bool] = []
    first.asked_to_show.connect(lambda: asked.append(True))
    for word in (b"", b"sho", b"quit\n", bytes(100_000)):
        socket = QLocalSocket()
        socket.connectToServer(first._name)
        assert socket.waitForConnected(20_000)
        socket.write(word)
        socket.flush()
        qtbot.wait(20)
        socket.abort()
    qtbot.wait(20)
    assert not asked
    first.release()


@pytest.mark.parametrize("wish", ["Show window", "Close"])
def test_a_second_start_asks_what_to_do(
    wish: str, qtbot: QtBot, tmp_path: Path, other: Callable[[], subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path))
    process = other()
    said: list[str] = []

    def click() -> None:
        boxes = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, QMessageBox) and widget.isVisible()]
        if not boxes:
            QTimer.singleShot(20, click)
            return
        (box,) = boxes
        said.append(box.text())
        (button,) = [each for each in box.buttons() if each.text().replace("&", "") == wish]
        button.click()

    QTimer.singleShot(20, click)
    assert run_app(LiveConfig()) == 0
    assert said == ["GPEN Live is already running."]
    assert process.stdout is not None
    if wish == "Show window":
        assert process.stdout.readline() == "shown\n"
    process.kill()
    assert process.stdout.read() == ""
