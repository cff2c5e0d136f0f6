"""What the set-up would run on each system, worked out without running it, and its behaviour when something is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bootstrap
from python_version import complaint

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("minor", [10, 11, 12])
def test_supported_python_has_no_complaint(minor: int) -> None:
    assert complaint(3, minor, "linux", True) == ""


@pytest.mark.parametrize("version", [(2, 7), (3, 9), (3, 13), (4, 0)])
def test_other_python_is_named_with_the_remedy(version: tuple[int, int]) -> None:
    text = complaint(*version, "win32", True)
    assert f"{version[0]}.{version[1]}." in text
    assert "py -3.12 packaging\\start.py" in text
    assert "python3.12 packaging/start.py" in complaint(*version, "darwin", True)


def test_32_bit_python_is_refused() -> None:
    assert "64-bit" in complaint(3, 11, "win32", False)


def test_scripts_end_with_the_sentence_on_an_old_python(tmp_path: Path) -> None:
    """The check comes before anything that such a Python could not read."""
    for script in ("start.py", "test.py"):
        fake = f"import sys, runpy; sys.version_info = (3, 8, 1, 'final', 0); sys.path.insert(0, {str(ROOT / 'packaging')!r})"
        run = f"{fake}; runpy.run_path({str(ROOT / 'packaging' / script)!r}, run_name='__main__')"
        done = subprocess.run([sys.executable, "-c", run], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("GPEN Live needs Python 3.10, 3.11 or 3.12, and this is Python 3.8.")
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("platform", "nvidia", "expected"),
    [
        ("win32", True, ["--torch-backend=auto"]),
        ("win32", False, []),
        ("linux", True, []),
        ("linux", False, []),
        ("darwin", False, []),
    ],
)
def test_only_windows_with_a_card_asks_for_another_build_of_torch(platform: str, nvidia: bool, expected: list[str]) -> None:
    assert bootstrap.torch_backend(platform, nvidia) == expected


def test_torch_is_there_before_basicsr_is_built() -> None:
    first, second = bootstrap.install_commands("uv", "python", PYPROJECT, [], tests=False)
    assert first[:5] == ["uv", "pip", "install", "--python", "python"]
    names = [argument.partition("==")[0] for argument in first if "==" in argument]
    assert names == ["torch", "torchvision", "numpy", "setuptools", "wheel", "cython"]
    isolated = second.index("--no-build-isolation-package")
    assert second[isolated + 1] == "basicsr"
    assert second[-2:] == ["--editable", "."]
    assert "--compile-bytecode" in second, "or the first start would do it"


def test_test_set_up_adds_the_tests_libraries() -> None:
    assert bootstrap.install_commands("uv", "python", PYPROJECT, [], tests=True)[-1][-1] == ".[test]"


def test_a_card_replaces_a_build_of_torch_that_lacks_cuda() -> None:
    first, second = bootstrap.install_commands("uv", "python", PYPROJECT, ["--torch-backend=auto"], tests=False)
    assert first.count("--reinstall-package") == 2
    assert "--reinstall-package" not in second
    assert "--torch-backend=auto" in first
    assert "--torch-backend=auto" in second


def test_pins_come_from_the_project_file() -> None:
    assert bootstrap.pins('x = [\n  "torch==1.2.3", # why\n  "numpy==1.0",\n]', ("numpy", "torch")) == [
        "numpy==1.0",
        "torch==1.2.3",
    ]


def test_constraints_agree_with_the_project_file() -> None:
    constraints = {
        line.partition("==")[0]: line.partition("==")[2].split()[0]
        for line in (ROOT / "packaging" / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    }
    wanted = re.findall(r'^\s*"([\w.-]+)==([\w.]+)["; ]', PYPROJECT, re.MULTILINE)
    assert len(wanted) > 20
    for name, version in wanted:
        assert constraints[name.lower()] == version, f"{name}: make packaging/constraints.txt anew"


def test_installer_goes_beside_the_system_python_and_not_into_it(tmp_path: Path) -> None:
    command = bootstrap.fetch_uv_command("/usr/bin/python3", tmp_path)
    assert command[:4] == ["/usr/bin/python3", "-m", "pip", "install"]
    target = Path(command[command.index("--target") + 1])
    assert target.is_relative_to(tmp_path)
    assert "--break-system-packages" not in command


@pytest.mark.parametrize(("platform", "file"), [("linux", "bin/uv"), ("win32", "bin/uv.exe"), ("win32", "Scripts/uv.exe")])
def test_installer_is_found_where_pip_puts_it(tmp_path: Path, platform: str, file: str) -> None:
    assert bootstrap.find_uv(tmp_path, platform) is None
    place = Path(bootstrap.fetch_uv_command("python", tmp_path)[-2]) / file
    place.parent.mkdir(parents=True)
    place.touch()
    assert bootstrap.find_uv(tmp_path, platform) == place


def test_interpreter_of_the_environment() -> None:
    assert bootstrap.venv_python(Path("v"), "win32") == Path("v/Scripts/python.exe")
    assert bootstrap.venv_python(Path("v"), "darwin") == Path("v/bin/python")


def test_environment_whose_python_was_uninstalled_is_made_anew(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").touch()
    assert not bootstrap.is_whole(venv, "linux"), "no pyvenv.cfg"
    (venv / "pyvenv.cfg").write_text(f"home = {base}\nversion = 3.11.7\n", encoding="utf-8")
    assert bootstrap.is_whole(venv, "linux")
    base.rmdir()
    assert not bootstrap.is_whole(venv, "linux")


def test_mark_changes_with_everything_that_is_installed(tmp_path: Path) -> None:
    mark = bootstrap.fingerprint("a", "b", tmp_path, [])
    others = [
        bootstrap.fingerprint("A", "b", tmp_path, []),
        bootstrap.fingerprint("a", "B", tmp_path, []),
        bootstrap.fingerprint("a", "b", tmp_path / "moved", []),
        bootstrap.fingerprint("a", "b", tmp_path, ["--torch-backend=auto"]),
    ]
    assert len({mark, *others}) == 5
    assert bootstrap.fingerprint("a", "b", tmp_path, []) == mark


def test_environment_for_tests_serves_the_app_but_not_the_other_way_round(tmp_path: Path) -> None:
    assert not bootstrap.is_ready(tmp_path, "mark", tests=False)
    (tmp_path / "app.ready").write_text("mark", encoding="utf-8")
    assert bootstrap.is_ready(tmp_path, "mark", tests=False)
    assert not bootstrap.is_ready(tmp_path, "mark", tests=True)
    (tmp_path / "app.ready").unlink()
    (tmp_path / "test.ready").write_text("mark", encoding="utf-8")
    assert bootstrap.is_ready(tmp_path, "mark", tests=False)
    assert bootstrap.is_ready(tmp_path, "mark", tests=True)
    assert not bootstrap.is_ready(tmp_path, "newer", tests=True)


def test_uv_follows_what_pip_was_told() -> None:
    told = bootstrap.uv_environment({"PIP_INDEX_URL": "https://mirror.test/simple", "PIP_CERT": "/c.pem", "PATH": "/bin"})
    assert told["UV_DEFAULT_INDEX"] == "https://mirror.test/simple"
    assert told["SSL_CERT_FILE"] == "/c.pem"
    assert bootstrap.uv_environment({"PIP_CERT": "/c.pem", "SSL_CERT_FILE": "/own.pem"})["SSL_CERT_FILE"] == "/own.pem"
    assert "UV_DEFAULT_INDEX" not in bootstrap.uv_environment({"PATH": "/bin"})


def only(*tools: str) -> Callable[[str], str | None]:
    return lambda name: f"/usr/bin/{name}" if name in tools else None


def test_libraries_are_installed_with_the_system_s_manager() -> None:
    missing = bootstrap.missing_libraries(window=True, loads=lambda name: name not in ("libEGL.so.1", "libxcb-cursor.so.0"))
    assert [library.name for library in missing] == ["libEGL.so.1", "libxcb-cursor.so.0"]
    update, install = bootstrap.library_commands(missing, only("apt-get"))
    assert update == ["apt-get", "update"]
    assert install[-2:] == ["libegl1", "libxcb-cursor0"]
    assert bootstrap.library_commands(missing, only("dnf"))[-1][-2:] == ["libglvnd-egl", "xcb-util-cursor"]
    assert bootstrap.library_commands(missing, only("pacman"))[-1][-2:] == ["libglvnd", "xcb-util-cursor"]
    assert bootstrap.library_commands(missing, only()) == []


def test_one_package_with_two_libraries_is_named_once() -> None:
    command = bootstrap.library_commands(bootstrap.missing_libraries(window=True, loads=lambda name: False), only("dnf"))[-1]
    assert len(command) == len(set(command))


def test_headless_work_asks_for_less() -> None:
    headless = bootstrap.missing_libraries(window=False, loads=lambda name: False)
    assert {library.apt for library in headless} == {"libgl1", "libglib2.0-0"}


@pytest.mark.parametrize(
    ("arguments", "window"),
    [
        ([], True),
        (["run", "--source", "demo"], True),
        (["run", "--headless", "--source", "demo"], False),
        (["--debug"], True),
        (["--version"], False),
        (["doctor"], False),
        (["enhance", "a.png", "b.png"], False),
    ],
)
def test_which_starts_show_a_window(arguments: list[str], window: bool) -> None:
    assert bootstrap.wants_window(arguments) is window


@pytest.fixture
def linux_without_libraries(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A Debian-like Linux that lacks one library. Returns the commands that are run on it."""
    ran: list[list[str]] = []

    def call(command: list[str], **_: object) -> int:
        ran.append(command)
        return 0

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(bootstrap, "can_load", lambda name: name != "libEGL.so.1")
    monkeypatch.setattr(bootstrap, "missing_libraries", lambda window: [bootstrap.LIBRARIES[3]])
    monkeypatch.setattr(shutil, "which", only("apt-get", "sudo"))
    monkeypatch.setattr(subprocess, "call", call)
    return ran


def test_root_gets_libraries_installed(
    linux_without_libraries: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    bootstrap.get_system_libraries(window=True, ask=True)
    assert linux_without_libraries[-1] == ["apt-get", "install", "--yes", "--no-install-recommends", "libegl1"]
    assert "Installing them: apt-get update && apt-get install" in capsys.readouterr().out


class Pipe:
    """A standard input that is none to type at."""

    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize("stdin", [None, Pipe()])
def test_without_a_terminal_the_command_is_printed_and_the_set_up_goes_on(
    stdin: object, linux_without_libraries: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "stdin", stdin)
    bootstrap.get_system_libraries(window=True, ask=True)
    assert linux_without_libraries == []
    wanted = "sudo apt-get update && sudo apt-get install --yes --no-install-recommends libegl1"
    assert wanted in capsys.readouterr().out


class Terminal:
    """A standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "installs"), [("", True), ("y", True), ("n", False)])
def test_at_a_terminal_the_user_is_asked(
    answer: str, installs: bool, linux_without_libraries: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda prompt: answer)
    bootstrap.get_system_libraries(window=True, ask=True)
    assert [command[0] for command in linux_without_libraries] == (["sudo", "sudo"] if installs else [])


def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder that the set-up works in."""
    (tmp_path / "packaging").mkdir()
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (tmp_path / "packaging" / "constraints.txt").write_text("torch==2\n", encoding="utf-8")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "get_system_libraries", lambda window, ask: None)
    return tmp_path


def test_interrupted_set_up_goes_on_and_a_finished_one_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path, monkeypatch)
    ran: list[list[str]] = []
    fail_at = ["--editable"]

    def step(command: list[str], failed: str, environment: object = None) -> None:
        if any(word in command for word in fail_at):
            raise KeyboardInterrupt
        ran.append(command)
        if "venv" in command:
            python = bootstrap.venv_python(root / ".venv", sys.platform)
            python.parent.mkdir(parents=True)
            python.touch()
            (root / ".venv" / "pyvenv.cfg").write_text(f"home = {tmp_path}\n", encoding="utf-8")

    monkeypatch.setattr(bootstrap, "run", step)
    monkeypatch.setattr(bootstrap, "get_uv", lambda venv: "uv")

    def task() -> int:
        bootstrap.prepare(tests=False, window=False)
        return 0

    assert bootstrap.main(task) == 130
    assert "Run the same command again" in capsys.readouterr().err
    fail_at.clear()
    ran.clear()
    assert bootstrap.main(task) == 0
    assert len(ran) == 2, "the environment is there already; both installing steps run"
    ran.clear()
    assert bootstrap.main(task) == 0
    assert ran == []
    (root / "pyproject.toml").write_text(PYPROJECT + "\n# changed\n", encoding="utf-8")
    assert bootstrap.main(task) == 0
    assert len(ran) == 2


def test_failed_step_is_a_sentence_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)

    def broken() -> int:
        bootstrap.run([sys.executable, "-c", "raise SystemExit(3)"], "Installing PyTorch failed.")
        return 0

    def absent() -> int:
        bootstrap.run([str(tmp_path / "nothing")], "Installing PyTorch failed.")
        return 0

    assert bootstrap.main(broken) == 1
    assert "Installing PyTorch failed." in capsys.readouterr().err
    assert bootstrap.main(absent) == 1
    assert "can't be run" in capsys.readouterr().err


def test_no_pip_and_no_uv_says_how_to_get_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_works", lambda command: False)
    monkeypatch.setattr(shutil, "which", only("apt-get"))
    with pytest.raises(bootstrap.SetupError, match=r"no pip.*sudo apt install python3-pip"):
        bootstrap.get_uv(tmp_path)


def test_half_copied_installer_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(bootstrap.fetch_uv_command("python", tmp_path)[-2]) / "bin" / ("uv.exe" if sys.platform == "win32" else "uv")
    place.parent.mkdir(parents=True)
    place.write_bytes(b"\x7fELF")
    place.chmod(0o755)
    fetched: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "run", lambda command, failed, environment: fetched.append(command))
    monkeypatch.setattr(bootstrap, "_works", lambda command: "pip" in command)
    assert bootstrap.get_uv(tmp_path) == str(place)
    assert len(fetched) == 1


@pytest.mark.parametrize("posix", [True, False])
def test_exit_code_of_the_app_is_passed_on(posix: bool, tmp_path: Path) -> None:
    """In a process of its own, as handing over replaces it. Without exec (Windows) a child runs and is waited for."""
    program = (
        f"import os, sys; sys.path.insert(0, {str(ROOT / 'packaging')!r}); import bootstrap\n"
        f"bootstrap.os.name = {'posix' if posix else 'nt'!r}\n"
        "command = [sys.executable, '-c', 'import os, sys; print(os.getcwd(), sys.argv[1:]); sys.exit(7)', '--size', '1 2']\n"
        "sys.exit(bootstrap.hand_over(command, os.environ))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert done.stdout.strip() == f"{tmp_path} ['--size', '1 2']"
