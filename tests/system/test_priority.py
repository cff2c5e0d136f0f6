from __future__ import annotations

import os
import sys
import threading

import pytest

from gpen_live.system.priority import give_way


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a thread's priority can't be asked for")
def test_a_thread_gives_way_and_the_others_do_not() -> None:
    nice: list[int] = []

    def work() -> None:
        give_way()
        nice.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert nice == [max(before, 10)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


def test_it_is_no_error_where_the_system_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse, raising=False)
    give_way()
