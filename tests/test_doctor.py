"""The report on a machine: each finding with its remedy, nothing private in it, and no check that ends it."""

from __future__ import annotations

import getpass
import json
import plistlib
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from gpen_live import doctor, messages
from gpen_live.doctor import Check, DoctorReport, Status
from gpen_live.look import Look
from gpen_live.messages import Message, message
from gpen_live.messages.english import CATALOGUE
from gpen_live.messages.sentence import Sentence
from gpen_live.settings import VERSION, Settings
from gpen_live.sinks.loopback import SETUP_COMMAND

TOLD = "test.told"


def told(what: str = "fine", remedy: str = "") -> Message:
    """A message that says just this."""
    return message(TOLD, what=what, remedy=remedy)


@pytest.fixture(autouse=True)
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "CATALOGUE", {**CATALOGUE, TOLD: Sentence("{what}", "{remedy}")})


@pytest.fixture(scope="module")
def report() -> DoctorReport:
    """The report on the machine that runs the tests."""
    return doctor.examine()


def test_report_covers_every_subject(report: DoctorReport) -> None:
    assert [check.name for check in report.checks] == [name for name, _ in doctor.EXAMINATIONS]


def test_no_check_breaks(report: DoctorReport) -> None:
    assert [check for check in report.checks if check.message.id in ("doctor.failed", "doctor.no_answer")] == []


def test_what_the_tests_need_is_found_here(report: DoctorReport) -> None:
    """The tests run with this Python, PyTorch and encoder, so these can't be reported as missing."""
    status = {check.name: check.status for check in report.checks}
    assert {status[name] for name in ("System", "Python", "Compute", "Recording")} == {Status.OK}


def test_everything_that_is_not_ok_says_what_to_do(report: DoctorReport) -> None:
    assert [check.name for check in report.checks if check.status is not Status.OK and not check.remedy] == []


def test_report_names_no_home_folder(report: DoctorReport) -> None:
    assert str(Path.home()) not in report.to_text(width=400)
    assert str(Path.home()) not in report.to_json()


def test_json_says_the_same_as_the_report(report: DoctorReport) -> None:
    tree = json.loads(report.to_json())
    assert tree["version"] == report.version
    assert tree["status"] == report.status.value
    assert [tuple(check) for check in tree["checks"]] == [("name", "status", "found", "remedy")] * len(report.checks)
    assert [tuple(check.values()) for check in tree["checks"]] == [
        (check.name, check.status.value, check.found, check.remedy) for check in report.checks
    ]


def test_text_holds_status_finding_and_remedy() -> None:
    text = DoctorReport("1.2", (Check("Disk", Status.WARN, told("1 GiB free [really]", "Make room.")),)).to_text()
    assert "GPEN Live 1.2" in text
    assert "warn" in text
    assert "1 GiB free [really]" in text, "square brackets are text, not markup"
    assert "-> Make room." in text


@pytest.mark.parametrize(
    ("found", "worst"),
    [
        ([], Status.OK),
        ([Status.OK, Status.OK], Status.OK),
        ([Status.OK, Status.WARN], Status.WARN),
        ([Status.FAIL, Status.WARN, Status.OK], Status.FAIL),
    ],
)
def test_worst_check_is_the_status(found: list[Status], worst: Status) -> None:
    assert DoctorReport("1", tuple(Check("x", status, told()) for status in found)).status is worst


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on() -> None:
    def breaks() -> Check:
        raise ZeroDivisionError("by zero")

    report = doctor.examine([("One", breaks), ("Two", lambda: Check("Two", Status.OK, told()))])
    assert report.checks[0] == Check("One", Status.WARN, message("doctor.failed", reason="ZeroDivisionError: by zero"))
    assert report.checks[1].status is Status.OK


def test_a_check_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECK_LIMIT_S", 0.05)
    release = threading.Event()

    def hangs() -> Check:
        release.wait()
        return Check("One", Status.OK, told())

    try:
        (check,) = doctor.examine([("One", hangs)]).checks
    finally:
        release.set()
    assert check.status is Status.WARN
    assert check.message == message("doctor.no_answer", seconds=0.05)


def test_findings_of_a_check_are_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/anna"))
    monkeypatch.setattr(getpass, "getuser", lambda: "anna")
    (check,) = doctor.examine([("x", lambda: Check("x", Status.WARN, told("in /home/anna/x", "remove /home/anna/x")))]).checks
    assert check.found == "in ~/FILE"
    assert check.remedy == "remove ~/FILE"


class TestGraphics:
    card = "NVIDIA GeForce RTX 4070 (driver 551.23, 12282 MiB)"

    def test_usable_card(self) -> None:
        check = doctor.judge_pytorch("2.13.0+cu130", "13.0", ["NVIDIA GeForce RTX 4070"], [self.card])
        assert check.status is Status.OK
        assert "CUDA 13.0" in check.found

    def test_card_with_a_build_for_the_processor_gets_the_command(self) -> None:
        check = doctor.judge_pytorch("2.13.0+cpu", None, [], [self.card])
        assert check.status is Status.WARN
        assert "RTX 4070" in check.found
        assert "--torch-backend=auto" in check.remedy
        assert "torch==2.13.0 " in check.remedy

    def test_card_with_too_old_a_driver(self) -> None:
        check = doctor.judge_pytorch("2.13.0", "13.0", [], [self.card])
        assert check.status is Status.WARN
        assert check.message.id == "doctor.graphics_old_driver"

    def test_command_uses_the_installer_of_the_set_up(self, tmp_path: Path) -> None:
        venv = tmp_path / ".venv"
        assert f"uv pip install --python {venv} --torch-backend=auto" in doctor.rebuild_command("2.13.0", venv)
        for version in ("0.1.0", "0.2.0"):
            (venv / "uv" / version / "bin").mkdir(parents=True)
            (venv / "uv" / version / "bin" / "uv").touch()
        command = doctor.rebuild_command("2.13.0", venv)
        assert command.startswith(f"in GPEN Live's folder {Path('.venv/uv/0.2.0/bin/uv')} pip install --python .venv ")

    def test_no_card_is_no_fault(self) -> None:
        assert doctor.judge_pytorch("2.13.0", "13.0", [], []).status is Status.OK

    def test_cards_are_read_from_the_driver_s_tool(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "_run", lambda command: "NVIDIA H100, 580.65, 81559 MiB\n")
        assert doctor.nvidia_cards() == ["NVIDIA H100 (driver 580.65, 81559 MiB)"]
        monkeypatch.setattr(doctor, "_run", lambda command: "")
        assert doctor.nvidia_cards() == []

    def test_absent_tool_says_nothing(self) -> None:
        assert doctor._run(["no-such-tool-anywhere"]) == ""


class TestVirtualCamera:
    def test_linux_device_ready(self) -> None:
        check = doctor.judge_linux_camera([("/dev/video10", "GPEN Live", True)], True)
        assert check == Check("Virtual camera", Status.OK, message("doctor.vcam", names="/dev/video10 (GPEN Live)"))

    def test_linux_device_not_writable(self) -> None:
        check = doctor.judge_linux_camera([("/dev/video10", "GPEN Live", False)], True)
        assert check.status is Status.WARN
        assert "sudo usermod -aG video" in check.remedy

    def test_linux_module_not_loaded(self) -> None:
        assert "exclusive_caps=1" in doctor.judge_linux_camera([], True).remedy
        assert "install v4l2loopback" not in doctor.judge_linux_camera([], True).remedy

    def test_linux_module_absent(self) -> None:
        remedy = doctor.judge_linux_camera([], False).remedy
        assert "sudo apt install v4l2loopback-dkms" in remedy
        assert SETUP_COMMAND in remedy

    def test_windows(self) -> None:
        assert doctor.judge_windows_camera(obs=True, unity_capture=True).found == "OBS Virtual Camera, Unity Capture"
        assert doctor.judge_windows_camera(obs=False, unity_capture=True).status is Status.OK
        absent = doctor.judge_windows_camera(obs=False, unity_capture=False)
        assert absent.status is Status.WARN
        assert "OBS Studio" in absent.remedy

    @pytest.mark.parametrize("installed", [True, False])
    def test_windows_registry(self, installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        def open_key(root: str, key: str) -> str:
            if not installed:
                raise FileNotFoundError(key)
            return f"{root}\\{key}"

        registry = SimpleNamespace(HKEY_CLASSES_ROOT="HKCR", OpenKey=open_key, CloseKey=lambda key: None)
        monkeypatch.setitem(sys.modules, "winreg", registry)
        monkeypatch.setattr(sys, "platform", "win32")
        check = doctor._virtual_camera()
        assert check.status is (Status.OK if installed else Status.WARN)

    def test_mac_applications(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Path, "home", lambda: tmp_path)
        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setattr(doctor, "_run", lambda command: "")
        assert doctor._virtual_camera().message == message("doctor.vcam_obs_none")
        contents = tmp_path / "Applications" / "OBS.app" / "Contents"
        contents.mkdir(parents=True)
        (contents / "Info.plist").write_bytes(plistlib.dumps({"CFBundleShortVersionString": "29.1.3"}))
        assert doctor._virtual_camera().message == message("doctor.vcam_obs_old", version="29.1.3")

    def test_mac(self) -> None:
        extension = "*\t*\tXYZ\tcom.obsproject.obs-studio.mac-camera-extension (30.1/1)\tOBS\t[activated enabled]"
        assert doctor.judge_mac_camera("31.0.2", extension).status is Status.OK
        assert doctor.judge_mac_camera(None, "").message.id == "doctor.vcam_obs_none"
        assert doctor.judge_mac_camera("29.1", extension).message.id == "doctor.vcam_obs_old"
        waiting = doctor.judge_mac_camera("31.0.2", extension.replace("activated enabled", "activated waiting for user"))
        assert waiting.status is Status.WARN
        assert "Stop Virtual Camera" in waiting.remedy


class TestWindow:
    ldd = "\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\tlibxcb-cursor.so.0 => not found\n\tlibxcb-cursor.so.0 => not found\n"

    def test_missing_libraries_are_read_from_ldd(self) -> None:
        assert doctor.missing_from_ldd(self.ldd) == ["libxcb-cursor.so.0"]

    def test_missing_library_is_named_with_its_package(self) -> None:
        check = doctor.judge_window(["libxcb-cursor.so.0"], has_display=True)
        assert check.status is Status.WARN
        assert "sudo apt install libxcb-cursor0." in check.remedy

    @pytest.mark.parametrize(
        ("library", "package"),
        [
            ("libxcb-icccm.so.4", "libxcb-icccm4"),
            ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
            ("libdbus-1.so.3", "libdbus-1-3"),
            ("libEGL.so.1", "libegl1"),
            ("libX11-xcb.so.1", "libx11-xcb1"),
        ],
    )
    def test_debian_s_names(self, library: str, package: str) -> None:
        assert doctor.debian_package(library) == package

    def test_no_display(self) -> None:
        assert "--headless" in doctor.judge_window([], has_display=False).remedy

    def test_complete(self) -> None:
        assert doctor.judge_window([], has_display=True).status is Status.OK


class TestSettings:
    def test_none_yet(self, tmp_path: Path) -> None:
        assert doctor.judge_settings(tmp_path / "settings.json").status is Status.OK

    def test_readable(self, tmp_path: Path) -> None:
        path = tmp_path / "settings.json"
        path.write_bytes(msgspec.json.encode(Settings(look=Look(strength=0.5))))
        assert doctor.judge_settings(path).status is Status.OK

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 2, "strength": "much"}', b"\xff\xfe"])
    def test_broken_file_is_reported_and_left_alone(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "settings.json"
        path.write_bytes(content)
        assert doctor.judge_settings(path).status is Status.WARN
        assert path.read_bytes() == content
        assert [entry.name for entry in tmp_path.iterdir()] == ["settings.json"]

    def test_newer_version(self, tmp_path: Path) -> None:
        path = tmp_path / "settings.json"
        path.write_text(json.dumps({"version": VERSION + 1}), encoding="utf-8")
        assert "newer version" in doctor.judge_settings(path).found
