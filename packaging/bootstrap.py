"""Sets up an environment for GPEN Live in `.venv`, with nothing but Python and pip on the machine.

Standard library only. What to run is worked out by functions without side effects; `prepare` runs it.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
UV = "uv==0.13.9"
"""The installer. Pinned like everything else."""

FIRST = ("torch", "torchvision", "numpy", "setuptools", "wheel", "cython")
"""What has to be there before basicsr can be built."""

Command = list[str]


class SetupError(Exception):
    """The set-up can't go on; the message is one or two plain sentences."""


class Library(NamedTuple):
    """A shared library that comes with the Linux distribution: file name, its package per manager, who needs it."""

    name: str
    apt: str
    dnf: str
    pacman: str
    window: bool = True


LIBRARIES = (
    Library("libGL.so.1", "libgl1", "libglvnd-glx", "libglvnd", window=False),
    Library("libglib-2.0.so.0", "libglib2.0-0", "glib2", "glib2", window=False),
    Library("libgthread-2.0.so.0", "libglib2.0-0", "glib2", "glib2", window=False),
    Library("libEGL.so.1", "libegl1", "libglvnd-egl", "libglvnd"),
    Library("libfontconfig.so.1", "libfontconfig1", "fontconfig", "fontconfig"),
    Library("libdbus-1.so.3", "libdbus-1-3", "dbus-libs", "dbus"),
    Library("libxkbcommon.so.0", "libxkbcommon0", "libxkbcommon", "libxkbcommon"),
    Library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11"),
    Library("libX11-xcb.so.1", "libx11-xcb1", "libX11-xcb", "libx11"),
    Library("libxcb-cursor.so.0", "libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor"),
    Library("libxcb-icccm.so.4", "libxcb-icccm4", "xcb-util-wm", "xcb-util-wm"),
    Library("libxcb-image.so.0", "libxcb-image0", "xcb-util-image", "xcb-util-image"),
    Library("libxcb-keysyms.so.1", "libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms"),
    Library("libxcb-render-util.so.0", "libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil"),
    Library("libxcb-randr.so.0", "libxcb-randr0", "libxcb", "libxcb"),
    Library("libxcb-shape.so.0", "libxcb-shape0", "libxcb", "libxcb"),
    Library("libxcb-shm.so.0", "libxcb-shm0", "libxcb", "libxcb"),
    Library("libxcb-sync.so.1", "libxcb-sync1", "libxcb", "libxcb"),
    Library("libxcb-xfixes.so.0", "libxcb-xfixes0", "libxcb", "libxcb"),
    Library("libxcb-xkb.so.1", "libxcb-xkb1", "libxcb", "libxcb"),
)
"""What the wheels of OpenCV (window=False) and of Qt with its X11 plugin link to and do not bring along."""


def venv_python(venv: Path, platform: str) -> Path:
    """The interpreter of a virtual environment."""
    return venv / "Scripts" / "python.exe" if platform == "win32" else venv / "bin" / "python"


def is_whole(venv: Path, platform: str) -> bool:
    """Whether the environment has a Python, and the Python that it was made from is still there."""
    home = re.search(r"^home\s*=\s*(.+)$", _read(venv / "pyvenv.cfg"), re.MULTILINE)
    return home is not None and Path(home[1].strip()).is_dir() and venv_python(venv, platform).exists()


def find_uv(venv: Path, platform: str) -> Path | None:
    """The installer that an earlier run put into the environment."""
    name = "uv.exe" if platform == "win32" else "uv"
    places = (venv / "uv" / UV.partition("==")[2] / folder / name for folder in ("bin", "Scripts"))
    return next((place for place in places if place.is_file()), None)


def fetch_uv_command(python: str, venv: Path) -> Command:
    """Gets the installer with the host's pip; `--target` is allowed where the system's Python is managed by the system."""
    target = venv / "uv" / UV.partition("==")[2]
    pip = [python, "-m", "pip", "install", "--no-user", "--disable-pip-version-check", "--quiet", "--upgrade"]
    return [*pip, "--target", str(target), UV]


def torch_backend(platform: str, has_nvidia: bool) -> Command:
    """On Windows the registry's PyTorch is for the processor alone, so a machine with an NVIDIA card needs another build."""
    return ["--torch-backend=auto"] if platform == "win32" and has_nvidia else []


def pins(pyproject: str, names: Sequence[str]) -> list[str]:
    """The requirements `name==version` of these packages, as pyproject.toml has them."""
    versions = dict(re.findall(r'^\s*"([\w.-]+)==([\w.]+)["; ]', pyproject, re.MULTILINE))
    return [f"{name}=={versions[name]}" for name in names]


def install_commands(uv: str, python: str, pyproject: str, backend: Sequence[str], tests: bool) -> list[Command]:
    """The two steps: PyTorch with what builds need, then the app with the rest.

    basicsr is built against what the first step installed. Left to itself its build would download a second PyTorch.
    With a `backend` PyTorch is put in anew, as the build for the processor would be taken for good enough. The second step
    compiles the bytecode of all libraries, which would otherwise be the first start's work.
    """
    install = [uv, "pip", "install", "--python", python, "--constraints", "packaging/constraints.txt", *backend]
    anew = ["--reinstall-package", "torch", "--reinstall-package", "torchvision"] if backend else []
    first = pins(pyproject, FIRST)
    app = ".[test]" if tests else "."
    options = ["--compile-bytecode", "--no-build-isolation-package", "basicsr"]
    return [[*install, *anew, *first], [*install, *options, "--editable", app]]


def uv_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Lets uv use the package index and the certificates that pip was told to use; what is set for uv itself stays."""
    result = dict(environment)
    for ours, pips in (("UV_DEFAULT_INDEX", "PIP_INDEX_URL"), ("SSL_CERT_FILE", "PIP_CERT")):
        if environment.get(pips):
            result.setdefault(ours, environment[pips])
    return result


def fingerprint(pyproject: str, constraints: str, root: Path, backend: Sequence[str]) -> str:
    """Changes whenever the environment has to be brought up to date."""
    parts = (pyproject, constraints, str(root), UV, *backend)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def is_ready(venv: Path, mark: str, tests: bool) -> bool:
    """Whether an earlier set-up of this kind went through to its end. One made for tests serves the app too."""
    kinds = ("test",) if tests else ("app", "test")
    return any(_read(venv / f"{kind}.ready") == mark for kind in kinds)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def can_load(name: str) -> bool:
    """Whether the system finds a shared library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def missing_libraries(window: bool, loads: Callable[[str], bool] = can_load) -> list[Library]:
    """Libraries of LIBRARIES that this Linux lacks; only those for headless work when `window` is False."""
    return [library for library in LIBRARIES if (window or not library.window) and not loads(library.name)]


def library_commands(missing: Sequence[Library], which: Callable[[str], str | None]) -> list[Command]:
    """Installs libraries with the distribution's package manager (without sudo); empty when there is none that we know."""
    if which("apt-get"):
        packages = [library.apt for library in missing]
        before, install = [["apt-get", "update"]], ["apt-get", "install", "--yes", "--no-install-recommends"]
    elif which("dnf"):
        packages = [library.dnf for library in missing]
        before, install = [], ["dnf", "install", "--assumeyes"]
    elif which("pacman"):
        packages = [library.pacman for library in missing]
        before, install = [], ["pacman", "--sync", "--needed", "--noconfirm"]
    else:
        return []
    return [*before, [*install, *dict.fromkeys(packages)]]


def wants_window(arguments: Sequence[str]) -> bool:
    """Whether the app will show a window when it is started with these arguments."""
    commands = [argument for argument in arguments if not argument.startswith("-")]
    if not commands:
        return not {"--help", "--version"} & set(arguments)
    return commands[0] == "run" and "--headless" not in arguments


def say(text: str) -> None:
    """One line of progress."""
    print(f"[set-up] {text}", flush=True)


def run(command: Sequence[str], failed: str, environment: Mapping[str, str] | None = None) -> None:
    """Runs one step in the project's folder.

    Raises:
        SetupError: it ended with an error, or isn't there.
    """
    try:
        code = subprocess.call(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise SetupError(f"{failed} {command[0]} can't be run: {error.strerror}.") from None
    if code:
        raise SetupError(f"{failed} See its output above; run the same command again to continue from here.")


def get_system_libraries(window: bool, ask: bool) -> None:
    """Installs what a Linux lacks where that is allowed, and otherwise says what to type."""
    if not sys.platform.startswith("linux"):
        return
    missing = missing_libraries(window)
    if not missing:
        return
    commands = library_commands(missing, shutil.which)
    say("Some system libraries that the app needs are missing: " + ", ".join(library.name for library in missing))
    if not commands:
        say("Install them with your package manager, then start again.")
        return
    root = os.geteuid() == 0
    elevated = commands if root else [["sudo", *command] for command in commands]
    typed = " && ".join(" ".join(command) for command in elevated)
    if not root and not (ask and shutil.which("sudo") and _agrees(typed)):
        say(f"Continuing without them. To install them: {typed}")
        return
    if root:
        say(f"Installing them: {typed}")
    for command in elevated:
        # sudo asks for the password on the terminal, so it keeps standard input
        with contextlib.suppress(OSError):
            subprocess.call(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    still = missing_libraries(window)
    if still:
        say("Still missing: " + ", ".join(library.name for library in still) + ". Continuing without them.")


def _agrees(command: str) -> bool:
    if not (sys.stdin and sys.stdin.isatty()):
        return False
    try:
        return input(f"[set-up] Run '{command}' now? [Y/n] ").strip().lower() in ("", "y", "yes")
    except EOFError:
        return False


def get_uv(venv: Path) -> str:
    """The installer, fetched if need be.

    Raises:
        SetupError: there is neither pip nor uv on this machine, or the download failed.
    """
    found = find_uv(venv, sys.platform)
    if found and _works([str(found), "--version"]):
        return str(found)
    if not _works([sys.executable, "-m", "pip", "--version"]):
        on_path = shutil.which("uv")
        if on_path:
            return on_path
        remedy = "sudo apt install python3-pip" if shutil.which("apt-get") else f"{sys.executable} -m ensurepip"
        raise SetupError(f"This Python has no pip. Install it (for example: {remedy}) and start again.")
    say("Getting the installer (uv, about 25 MB) ...")
    environment = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "0", "PIP_ROOT_USER_ACTION": "ignore"}
    run(fetch_uv_command(sys.executable, venv), "The installer couldn't be downloaded.", environment)
    found = find_uv(venv, sys.platform)
    if found is None:
        raise SetupError("The installer was downloaded but contains no program for this system.")
    return str(found)


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def prepare(*, tests: bool, window: bool) -> Path:
    """Brings `.venv` up to date and returns its Python.

    Takes a moment when nothing changed since the last time. It may be interrupted at any point: the mark that says "ready" is
    written last, and the next run goes on with what is there.

    Raises:
        SetupError: it can't be done here; the message says what to do.
    """
    venv = ROOT / ".venv"
    python = venv_python(venv, sys.platform)
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    backend = torch_backend(sys.platform, bool(shutil.which("nvidia-smi")))
    constraints = (ROOT / "packaging" / "constraints.txt").read_text(encoding="utf-8")
    mark = fingerprint(pyproject, constraints, ROOT, backend)
    whole = is_whole(venv, sys.platform)
    ready = whole and is_ready(venv, mark, tests)
    get_system_libraries(window, ask=not ready)
    if ready:
        return python

    size = "5 GB" if sys.platform.startswith("linux") or backend else "2 GB"
    say(f"Setting up in {venv.name}: needs about {size} on disk, most of it PyTorch. This happens once.")
    if not whole:
        run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(venv)], "The environment couldn't be created.")
    uv = get_uv(venv)
    steps = install_commands(uv, str(python), pyproject, backend, tests)
    labels = ("PyTorch", "the app and its other libraries")
    for number, (step, label) in enumerate(zip(steps, labels, strict=True), 1):
        say(f"Step {number} of {len(steps)}: {label} ...")
        run(step, f"Installing {label} failed.", uv_environment(os.environ))
    (venv / ("test.ready" if tests else "app.ready")).write_text(mark, encoding="utf-8")
    say("Done.")
    return python


def hand_over(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs `command` in place of this program, in the caller's folder, and returns its exit code."""
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(command[0], list(command), dict(environment))  # noqa: S606  no shell is what we want
    # Windows has no such thing as exec. Ctrl-C reaches the child as well, which ends by itself; wait for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.call(command, env=environment)


def main(task: Callable[[], int]) -> int:
    """Runs a script's task and turns what may go wrong into a sentence and an exit code."""
    try:
        return task()
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to continue from here.", file=sys.stderr)
        return 130
