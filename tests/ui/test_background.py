"""Work beside the window's thread reports to it, and to nobody who is gone."""

from __future__ import annotations

import threading

import shiboken6
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from gpen_live.ui import background


def test_reports_arrive_in_the_windows_thread(qtbot: QtBot) -> None:
    heard: list[tuple[str, object, threading.Thread]] = []
    owner = QObject()

    def work(job: background.Job) -> str:
        job.report("half")
        assert threading.current_thread() is not threading.main_thread()
        return "whole"

    background.run(
        owner,
        work,
        done=lambda result: heard.append(("done", result, threading.current_thread())),
        progress=lambda news: heard.append(("progress", news, threading.current_thread())),
    )
    qtbot.waitUntil(lambda: len(heard) == 2)
    assert [entry[:2] for entry in heard] == [("progress", "half"), ("done", "whole")]
    assert {entry[2] for entry in heard} == {threading.main_thread()}


def test_errors_arrive_too(qtbot: QtBot) -> None:
    heard: list[Exception] = []
    owner = QObject()

    def work(job: background.Job) -> None:
        raise ValueError("no")

    background.run(owner, work, done=lambda result: None, failed=heard.append)
    qtbot.waitUntil(lambda: len(heard) == 1)
    assert isinstance(heard[0], ValueError)


def test_nobody_hears_for_an_owner_that_is_gone(qtbot: QtBot) -> None:
    heard: list[object] = []
    owner, witness = QObject(), QObject()
    go = threading.Event()
    background.run(owner, lambda job: go.wait(30), done=heard.append)
    shiboken6.delete(owner)
    go.set()
    background.run(witness, lambda job: "after", done=heard.append)
    qtbot.waitUntil(lambda: not background._running)
    assert heard == ["after"]
