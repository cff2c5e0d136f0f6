"""What decides whether slow tests run: git's word on what changed, and the digest of what they passed with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.changes import changed, digest

WHO = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
PATHS = ("kernels", "pins.txt")


def git(root: Path, *words: str) -> None:
    environment = {**os.environ, **WHO, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *words], cwd=root, env=environment, capture_output=True, check=True)


def commit(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")
    git(root, "add", "--all")
    git(root, "commit", "--message", name)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """On main; its last commit changed nothing that matters."""
    git(tmp_path, "init", "--initial-branch", "main")
    commit(tmp_path, "kernels/a.py", "1")
    commit(tmp_path, "pins.txt", "1")
    commit(tmp_path, "other.py", "1")
    return tmp_path


def test_other_files_do_not_matter(repository: Path) -> None:
    assert changed(repository, PATHS) is False
    (repository / "new.py").touch()
    assert changed(repository, PATHS) is False


@pytest.mark.parametrize("name", ["kernels/a.py", "kernels/b.py", "pins.txt"])
def test_what_is_not_committed_counts(name: str, repository: Path) -> None:
    (repository / name).write_text("2", encoding="utf-8")
    assert changed(repository, PATHS) is True


def test_on_main_the_last_commit_counts(repository: Path) -> None:
    commit(repository, "kernels/a.py", "2")
    assert changed(repository, PATHS) is True
    commit(repository, "other.py", "2")
    assert changed(repository, PATHS) is False


def test_on_a_branch_all_of_its_commits_count(repository: Path) -> None:
    git(repository, "switch", "--create", "branch")
    commit(repository, "kernels/a.py", "2")
    commit(repository, "other.py", "2")
    assert changed(repository, PATHS) is True


def test_without_git_or_without_a_commit_before_nobody_can_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert changed(tmp_path, PATHS) is None
    git(tmp_path, "init", "--initial-branch", "main")
    assert changed(tmp_path, PATHS) is None
    commit(tmp_path, "kernels/a.py", "1")
    assert changed(tmp_path, PATHS) is None
    monkeypatch.setenv("PATH", "")
    assert changed(tmp_path, PATHS) is None


def test_a_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "a.py").write_text("1", encoding="utf-8")
    first = digest(tmp_path, PATHS)
    (tmp_path / "other.py").touch()
    assert digest(tmp_path, PATHS) == first
    (tmp_path / "kernels" / "a.py").write_text("2", encoding="utf-8")
    second = digest(tmp_path, PATHS)
    (tmp_path / "kernels" / "a.py").rename(tmp_path / "kernels" / "b.py")
    assert len({first, second, digest(tmp_path, PATHS)}) == 3
