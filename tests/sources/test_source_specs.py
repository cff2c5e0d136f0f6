"""What names a source, and what is said about everything else."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from gpen_live.errors import GpenLiveError, SourceError, UsageError
from gpen_live.messages import Message, message
from gpen_live.sources import camera_index, check_spec, open_source
from tests.messages.says import says


@pytest.fixture(autouse=True)
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")


@pytest.mark.parametrize(
    ("spec", "index"),
    [("camera:0", 0), ("camera:12", 12), ("/dev/video3", 3), ("demo", None), ("clip.mp4", None), ("camera.mp4", None)],
)
def test_the_number_of_a_camera(spec: str, index: int | None) -> None:
    assert camera_index(spec) == index


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "  ",
        "camera:",
        "camera:x",
        "camera:-1",
        "camera:1.5",
        "camera: 1",
        "camera:99999",
        "camera:٣",
        "/dev/null",
        "/dev/videoX",
        "/dev/video0/../sda",
        "https://example.org/a.mp4",
        "rtsp://example.org/live",
    ],
)
def test_nonsense_is_a_usage_error_that_says_what_is_allowed(spec: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_spec(spec)
    assert caught.value.exit_code == 2
    for allowed in ("demo", "camera:N", "/dev/video0"):
        assert allowed in caught.value.remedy
    with pytest.raises(UsageError):
        open_source(spec, size=None, fps=None)


@pytest.mark.parametrize("system", ["Windows", "Darwin"])
def test_device_files_are_linux_only(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    with pytest.raises(UsageError, check=says("camera.no_device", spec="/dev/video0")):
        check_spec("/dev/video0")
    check_spec("camera:0")


def test_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "away.mp4"
    assert _said(str(path)) == (SourceError, message("source.missing", path=path))


def test_a_folder(tmp_path: Path) -> None:
    assert _said(str(tmp_path)) == (SourceError, message("source.folder", path=tmp_path))


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    assert _said(str(path)) == (SourceError, message("source.empty_file", path=path))


def test_a_file_that_can_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.mp4"
    path.write_bytes(b"x")

    def refuse(*_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert _said(str(path)) == (SourceError, message("source.unreadable", path=path))


def test_a_name_that_no_file_can_have() -> None:
    assert _said("a\0b.mp4")[0] is SourceError


def test_good_names_pass(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"not checked here")
    for spec in ("demo", "camera:0", "/dev/video0", str(path)):
        check_spec(spec)


def _said(spec: str) -> tuple[type[GpenLiveError], Message]:
    with pytest.raises(GpenLiveError) as caught:
        check_spec(spec)
    return type(caught.value), caught.value.message
