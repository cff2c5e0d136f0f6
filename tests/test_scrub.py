"""Whatever home, user, computer and files there are: no log line, no traceback and no finding of the doctor's names them."""

from __future__ import annotations

import getpass
import json
import logging
import platform
import string
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gpen_live import doctor, privacy
from gpen_live.doctor import Check, Status
from gpen_live.errors import SinkError
from gpen_live.messages import message
from gpen_live.privacy import PrivateFormatter, hide, scrub
from gpen_live.system.folders import HOME_VARIABLE, config_dir


@pytest.fixture(autouse=True)
def _nothing_hidden_for_long() -> Iterator[None]:
    before = set(privacy._hidden)
    yield
    privacy._hidden.clear()
    privacy._hidden.update(before)


def as_anna(text: str) -> str:
    return scrub(text, home=Path("/home/anna"), user="anna", host="annas-pc.lan")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/anna is full", "~ is full"),
        ("/home/anna/Videos/first date.mp4 can't be read", "~/FILE.mp4 can't be read"),
        ("There is no file /home/anna/x, sorry", "There is no file ~/FILE, sorry"),
        ("There is no file /mnt/disk/me.and.you.", "There is no file FILE.you."),
        ("open('/media/anna/stick/film 1.mkv')", "open('FILE.mkv')"),
        ('File "/srv/my things/x.py", line 3', 'File "FILE.py", line 3'),
        ("file:///home/anna/a.mp4: Invalid data", "FILE.mp4: Invalid data"),
        (r"C:\Users\Bob\Desktop\a b.mp4 is busy", "FILE.mp4 is busy"),
        (r"['C:\\Users\\Bob\\clip.mp4']", "['FILE.mp4']"),
        (r"\\server\share\film.mp4", "FILE.mp4"),
        ("camera:1 Anna's iPhone", "camera:1 user's iPhone"),
        ("camera:0 Savanna webcam at 30 frames/s", "camera:0 Savanna webcam at 30 frames/s"),
        ("lost annas-pc.lan and Annas-PC", "lost computer and computer"),
        ("/dev/video10 (GPEN Live) and /proc/self/status", "/dev/video10 (GPEN Live) and /proc/self/status"),
        ("/dev/v4l/by-id/usb-Logitech_C920_3A1B2C3D-video-index0", "/dev/v4l/by-id/SERIAL"),
        ("GPU-12345678-9abc-def0-1234-56789abcdef0 on 00:1a:2b:3c:4d:5e", "GPU-SERIAL on SERIAL"),
        ("See https://example.org/home/page and N/A, 5 MB/s", "See https://example.org/home/user and N/A, 5 MB/s"),
        ("Run: sudo modprobe v4l2loopback devices=1", "Run: sudo modprobe v4l2loopback devices=1"),
    ],
)
def test_what_is_taken_out_and_what_stays(text: str, expected: str) -> None:
    assert as_anna(text) == expected


def test_the_program_s_own_files_are_named_without_where_they_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert as_anna(f'File "{privacy.__file__}", line 1') == 'File "gpen-live/gpen_live/privacy.py", line 1'
    assert as_anna(f'File "{pytest.__file__}", line 1') == 'File "site-packages/pytest/__init__.py", line 1'
    assert as_anna(logging.__file__).startswith("python3.")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    assert as_anna(f"{tmp_path / 'settings.json'} is read") == "GPEN_LIVE_HOME/settings.json is read"
    monkeypatch.setenv(HOME_VARIABLE, ".")
    assert as_anna("A sentence. Another.") == "A sentence. Another."


def test_the_settings_file_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    assert scrub(f"{config_dir() / 'settings.json'} is read").endswith(f"{config_dir().name}/settings.json is read")


def test_a_file_that_the_user_chose_is_in_no_text(tmp_path: Path) -> None:
    hide("my first date.mp4")
    hide(tmp_path / "ohne Titel")
    text = as_anna(f"my first date.mp4 has no pictures. {tmp_path / 'ohne Titel'} neither.")
    assert text == "FILE.mp4 has no pictures. FILE neither."


def test_what_an_error_is_about_stays_where_it_is_nobody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    error = FileNotFoundError(2, "No such device: a or b", "/dev/video7", None, "a")
    assert "No such device: a or b: '/dev/video7' -> 'a'" in told(error, "lost")
    monkeypatch.setenv(HOME_VARIABLE, "/")
    assert as_anna("5/7 in /dev/video0") == "5/7 in /dev/video0"


@pytest.mark.parametrize("name", ["/", ".", "a", "\ud800.mp4", "x" * 100_000 + ".mp4", "\0.mp4", "\\1.mp4", "//"])
def test_names_that_no_file_has_do_no_harm(name: str) -> None:
    hide(name)
    assert as_anna("5/7 of a film. See https://host/x") == "5/7 of a film. See https://host/x"


def test_a_user_whom_the_system_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    assert scrub("/mnt/x/film.mp4 is busy") == "FILE.mp4 is busy"


NAME = st.text(st.sampled_from(string.ascii_letters + string.digits + "äßøЖ文 ._-'()+&"), min_size=3, max_size=14).filter(
    lambda name: name.strip(" .'") == name and name.lower() not in ("root", "user", "home", "file") and name[0].isalnum()
)
SECRET = NAME.map(lambda name: f"qx{name}zj")  # nothing that a sentence of ours holds
ENDING = st.sampled_from([".mp4", ".mkv", ".png", ".pth", ".MOV"])


def told(error: BaseException, message: str, *arguments: object) -> str:
    """What the log says of an error."""
    record = logging.LogRecord("gpen_live", logging.ERROR, "", 0, message, arguments, (type(error), error, error.__traceback__))
    return PrivateFormatter("%(name)s: %(message)s").format(record)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    user=SECRET,
    folder=SECRET,
    film=SECRET,
    ending=ENDING,
    windows=st.booleans(),
    place=st.sampled_from(["home", "Users", "data"]),
)
def test_no_traceback_names_a_home_or_a_film(
    user: str, folder: str, film: str, ending: str, windows: bool, place: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = rf"C:\{place}" if windows else f"/{place}"
    join = "\\" if windows else "/"
    home = f"{root}{join}{user}"
    path = f"{home}{join}{folder}{join}{film}{ending}"
    error: BaseException
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "home", lambda: PureWindowsPath(home) if windows else Path(home))
        patch.setattr(PureWindowsPath, "resolve", lambda self: self, raising=False)
        patch.setattr(getpass, "getuser", lambda: user)
        patch.setattr(platform, "node", lambda: f"{user}-pc")
        try:
            try:
                raise FileNotFoundError(2, "No such file or directory", path)
            except OSError as cause:
                raise SinkError("recording.unwritable", path=path, reason=f"look into {home}") from cause
        except SinkError as caught:
            error = caught
        texts = [
            told(error, "frame goes out raw: %s", error),
            told(error, "reading %s failed", PureWindowsPath(path) if windows else Path(path)),
            told(ValueError(repr(path)), "%s", json.dumps({"path": path})),
            told(ValueError("x"), "%s", f"'{path}'" if "'" not in path else f'"{path}"'),
            scrub(f"{path} can't be read, {home} neither, and {user}'s camera is at {user}-pc"),
        ]
    for text in texts:
        for secret in (user, folder, film):
            assert secret.lower() not in text.lower(), text
    assert ending in texts[1], "what kind of file it was may be known"


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    folder=SECRET, film=SECRET, ending=ENDING, frame=st.sampled_from(["{} is busy", "not '{}'", "({})", "{}: bad", "x={}, y=2"])
)
def test_films_outside_the_home_are_not_named_either(folder: str, film: str, ending: str, frame: str) -> None:
    assume("'" not in folder + film)
    text = as_anna(frame.format(f"/mnt/{folder}/{film}{ending}"))
    assert text == frame.format(f"FILE{ending}")


PIECES = st.sampled_from(
    ["/home/anna", "/mnt/x y", "anna", " ", "'", '"', "a.mp4", "/", "\\", "C:\\", "~/", "file:/", "media/", "(", ":"]
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join))
def test_any_text_is_taken_and_scrubbing_it_again_changes_nothing_more(text: str) -> None:
    once = as_anna(text)
    assert as_anna(once) == once
    assert "/home/anna" not in once


@settings(max_examples=30, deadline=None, derandomize=True)
@given(user=SECRET, film=SECRET)
def test_the_doctor_s_report_can_be_posted(user: str, film: str) -> None:
    home = Path("/home") / user

    def breaks() -> Check:
        raise RuntimeError(f"{home / film}.mp4 on {user}-pc")

    broken = message("doctor.settings_broken", path=f"{home / film}.mp4", reason=f"{user}'s {home / film}.mp4")
    checks = [("a", breaks), ("b", lambda: Check("b", Status.WARN, broken))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "home", lambda: home)
        patch.setattr(getpass, "getuser", lambda: user)
        patch.setattr(platform, "node", lambda: f"{user}-pc")
        report = doctor.examine(checks)
    for text in (report.to_text(width=400), report.to_json()):
        assert user not in text
        assert film not in text


def test_a_traceback_that_nobody_caught_is_scrubbed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("excepthook", "__excepthook__"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    privacy.guard_tracebacks()
    logging.captureWarnings(capture=False)

    def fails() -> None:
        raise FileNotFoundError(2, "No such file", "/home/anna/secret film.mp4")

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "secret film.mp4" in "".join(traceback.format_exception(record.exc_info[1])), "else nothing would be taken out"
    assert "secret" not in PrivateFormatter().format(record).replace('"/home/anna/secret film.mp4"', "")
