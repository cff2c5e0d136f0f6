"""Files written whole: what others left lying is swept, what others are writing is not, and no link leads elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gpen_live.system import atomic
from gpen_live.system.atomic import replace_file, sweep


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_written_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    for content in (b"one", b"two", b""):
        replace_file(path, content)
        assert path.read_bytes() == content
    assert names(tmp_path) == {path.name}


def test_drafts_of_the_dead_are_swept_and_those_of_the_living_stay(tmp_path: Path, ended: int) -> None:
    dead = tmp_path / f".gpen-live-{ended}-0123abcd-0.draft"
    earlier = tmp_path / f".gpen-live-{os.getpid()}-0123abcd-0.draft"  # of a process that had this one's number
    living = tmp_path / f".gpen-live-{os.getppid()}-0123abcd-0.draft"
    own = tmp_path / f".gpen-live-{os.getpid()}-{atomic._THIS}-0.draft"
    others = tmp_path / ".gpen-live-notes.draft"
    for path in (dead, earlier, living, own, others):
        path.touch()
    sweep(tmp_path)
    assert names(tmp_path) == {living.name, own.name, others.name}
    sweep(tmp_path / "no such folder")


def test_a_link_in_the_file_s_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    link = tmp_path / "settings.json"
    link.symlink_to(precious)
    replace_file(link, b"new")
    assert link.read_bytes() == b"new"
    assert precious.read_text() == "precious"


def test_many_threads_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    threads = [threading.Thread(target=replace_file, args=(path, bytes([n]) * 10_000)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = path.read_bytes()
    assert content == content[:1] * 10_000
    assert names(tmp_path) == {"file"}


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
def test_permissions(tmp_path: Path) -> None:
    replace_file(tmp_path / "private", b"", mode=0o600)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600
