"""What this machine has, what is missing, and what to do about it.

The report is meant to be posted in public: it names no user, no file of theirs, no host and no serial number (`privacy.scrub`).
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gpen_live import __version__
from gpen_live.privacy import scrub
from gpen_live.sinks.loopback import INSTALL_COMMAND, SETUP_COMMAND, virtual_devices
from gpen_live.system.folders import log_file

if TYPE_CHECKING:
    from rich.table import Table

CHECK_LIMIT_S = 120.0
"""A check that takes longer is given up. The first import of PyTorch after installing it can take a minute."""

_OBS_CAMERA = "{A3FCE0F5-3493-419F-958A-ABA1250EC20B}"
_UNITY_CAPTURE = "{5C2CD55C-92AD-4999-8666-912BD3E70010}"
"""Identifiers under which the two virtual cameras are registered with DirectShow."""


class Status(str, Enum):
    """How a check ended. WARN: something is not at its best or missing that not everyone needs; FAIL: the app can't work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at: what was found, and what to do if it is not all right."""

    name: str
    status: Status
    found: str
    remedy: str = ""


class DoctorReport(msgspec.Struct, frozen=True):
    """All checks, in the order in which they matter to a user."""

    version: str
    checks: tuple[Check, ...]

    @property
    def status(self) -> Status:
        """The worst of all."""
        found = {check.status for check in self.checks}
        return next((status for status in (Status.FAIL, Status.WARN) if status in found), Status.OK)

    def to_json(self) -> str:
        """The report for programs: {"version", "status", "checks": [{"name", "status", "found", "remedy"}]}."""
        tree = {"version": self.version, "status": self.status, "checks": self.checks}
        return msgspec.json.format(msgspec.json.encode(tree), indent=2).decode()

    def to_table(self) -> Table:
        """The report for a terminal."""
        from rich.table import Table
        from rich.text import Text

        colours = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "red"}
        table = Table(title=f"GPEN Live {self.version}", title_justify="left", box=None, padding=(0, 2, 0, 0))
        table.add_column("")
        table.add_column("Check", no_wrap=True)
        table.add_column("Found", overflow="fold")
        for check in self.checks:
            found = Text(check.found)
            if check.remedy:
                found.append(f"\n-> {check.remedy}", style="bold")
            table.add_row(Text(check.status.value, style=colours[check.status]), check.name, found)
        return table

    def to_text(self, width: int = 120) -> str:
        """The report as plain text of this many columns."""
        from rich.console import Console

        page = io.StringIO()
        Console(file=page, width=width, no_color=True).print(self.to_table())
        return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


Examination = Callable[[], Check]


def examine(examinations: Sequence[tuple[str, Examination]] | None = None) -> DoctorReport:
    """Looks at everything; takes seconds, as PyTorch and the drivers are asked. A check that breaks is reported as such."""
    chosen = EXAMINATIONS if examinations is None else examinations
    checks = [_scrubbed(_isolated(name, examination)) for name, examination in chosen]
    return DoctorReport(__version__, tuple(checks))


def _isolated(name: str, examination: Examination) -> Check:
    """Runs one check in a thread of its own, so that neither an error nor a driver that hangs ends the report."""
    results: list[Check] = []

    def work() -> None:
        try:
            results.append(examination())
        except Exception as error:  # noqa: BLE001  whatever it is, it is a finding
            results.append(Check(name, Status.WARN, f"This check failed ({type(error).__name__}: {error})."))

    thread = threading.Thread(target=work, name=f"doctor: {name}", daemon=True)
    thread.start()
    thread.join(CHECK_LIMIT_S)
    if results:
        return results[0]
    return Check(name, Status.WARN, f"This check gave no answer within {CHECK_LIMIT_S:.0f} seconds.", "Restart the computer.")


def _scrubbed(check: Check) -> Check:
    return msgspec.structs.replace(check, found=scrub(check.found), remedy=scrub(check.remedy))


def _run(command: Sequence[str], limit_s: float = 20.0) -> str:
    """What a tool of the system prints; an empty text when it isn't there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _python() -> Check:
    found = f"Python {platform.python_version()}, {platform.architecture()[0]}"
    if (3, 10) <= sys.version_info[:2] < (3, 13):
        return Check("Python", Status.OK, found)
    return Check("Python", Status.FAIL, found, "GPEN Live needs Python 3.10, 3.11 or 3.12.")


def _system() -> Check:
    name = f"{platform.system()} {platform.release()} ({platform.machine()})"
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, KeyError):
            name = f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {name}"
    elif sys.platform == "darwin":
        name = f"macOS {platform.mac_ver()[0]}, {name}"
    return Check("System", Status.OK, name)


def _processor() -> Check:
    import psutil
    import torch

    from gpen_live.inference.device import cpu_name

    can = torch.cpu.get_capabilities()
    wanted = {
        "AVX2": "avx2",
        "AVX-512": "avx512_f",
        "bf16": "avx512_bf16",
        "VNNI": "avx512_vnni",
        "AMX": "amx_bf16",
        "NEON": "neon",
        "Arm bf16": "arm_bf16",
    }
    sets = [name for name, key in wanted.items() if can.get(key)]
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    found = f"{cpu_name()}, {cores} cores, {psutil.cpu_count()} threads; {', '.join(sets) or 'no vector extensions known'}"
    if platform.machine().lower() in ("x86_64", "amd64") and not can.get("avx2"):
        return Check("Processor", Status.WARN, found, "Without AVX2 it is too slow for live video; a graphics card is needed.")
    return Check("Processor", Status.OK, found)


def _memory() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    found = f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB free"
    if memory.available < 2 * 2**30:
        return Check("Memory", Status.WARN, found, "The app needs about 2 GiB; close other programs.")
    return Check("Memory", Status.OK, found)


def nvidia_cards() -> list[str]:
    """NVIDIA cards as their driver lists them: name, driver, memory."""
    fields = "--query-gpu=name,driver_version,memory.total"
    lines = _run(["nvidia-smi", fields, "--format=csv,noheader"]).splitlines()
    cards = [[part.strip() for part in line.split(",")] for line in lines]
    return [f"{card[0]} (driver {card[1]}, {card[2]})" for card in cards if len(card) == 3]


def _pytorch() -> Check:
    import torch

    cuda = torch.cuda.is_available()
    usable = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())] if cuda else []
    if torch.backends.mps.is_available():
        usable.append("Apple GPU (mps)")
    return judge_pytorch(torch.__version__, torch.version.cuda, usable, nvidia_cards())


def judge_pytorch(version: str, cuda: str | None, usable: Sequence[str], cards: Sequence[str]) -> Check:
    """Whether PyTorch (built for CUDA version `cuda`, if any) can use the cards that the driver lists."""
    name = "Graphics"
    build = f"PyTorch {version} ({f'built for CUDA {cuda}' if cuda else 'built without CUDA'})"
    command = rebuild_command(version.partition("+")[0], Path(sys.prefix))
    if usable:
        return Check(name, Status.OK, f"{', '.join(usable)}; {build}")
    if cards and cuda is None:
        found = f"{', '.join(cards)}, but {build} can't use it."
        return Check(name, Status.WARN, found, f"Install the build for the card: {command}")
    if cards:
        found = f"{', '.join(cards)}, but {build} can't use it: the driver is too old for that CUDA version."
        return Check(name, Status.WARN, found, f"Update the NVIDIA driver, or install a build for the older one: {command}")
    return Check(name, Status.OK, f"No graphics card that PyTorch can use, so the processor does the work; {build}")


def rebuild_command(version: str, prefix: Path) -> str:
    """Replaces PyTorch by the build for the driver that is there, with the installer that the set-up left in the environment."""
    own = next((file for name in ("uv", "uv.exe") for file in sorted(prefix.glob(f"uv/*/bin/{name}"), reverse=True)), None)
    uv, where = (own.relative_to(prefix.parent), Path(prefix.name)) if own else (Path("uv"), prefix)
    anew = "--reinstall-package torch --reinstall-package torchvision"
    start = "in GPEN Live's folder " if own else ""
    return f"{start}{uv} pip install --python {where} --torch-backend=auto {anew} torch=={version} torchvision"


def _proof() -> Check:
    """Times a convolution on the device that "auto" chooses, and compares its result with the processor's."""
    import time

    import torch

    from gpen_live.inference.device import choose_device, describe_device, synchronize

    device = choose_device("auto")
    channels, side = 64, 128
    work_gflop = 2 * 9 * channels * channels * side * side / 1e9
    generator = torch.Generator().manual_seed(0)
    picture = torch.randn(1, channels, side, side, generator=generator)
    weight = torch.randn(channels, channels, 3, 3, generator=generator) / (3 * channels**0.5)
    there, kernel = picture.to(device.torch()), weight.to(device.torch())
    best = float("inf")
    with torch.inference_mode():
        for _ in range(10):
            began = time.perf_counter()
            result = torch.nn.functional.conv2d(there, kernel, padding=1)
            synchronize(device)
            best = min(best, time.perf_counter() - began)
        expected = torch.nn.functional.conv2d(picture[..., :18, :18].double(), weight.double(), padding=1)[..., :17, :17]
    error = float((result[..., :17, :17].cpu().double() - expected).abs().max())
    found = f"{describe_device(device)}: {work_gflop:.1f} GFLOP in {best * 1e3:.2f} ms ({work_gflop / best:.0f} GFLOP/s)"
    if error > 0.02:  # TF32 and its like are off by about 0.002 here
        return Check("Compute", Status.FAIL, f"{found}, but the result is wrong by {error:.3g}.", "Update the driver.")
    return Check("Compute", Status.OK, found)


def _cameras() -> Check:
    from gpen_live.sources.devices import list_cameras

    cameras = list_cameras()
    if cameras:
        return Check("Cameras", Status.OK, "; ".join(f"camera:{camera.index} {camera.name}" for camera in cameras))
    remedy = "Plug one in, and allow access to it in the system's privacy settings. The demo camera works without."
    return Check("Cameras", Status.WARN, "None found.", remedy)


def _virtual_camera() -> Check:
    if sys.platform == "win32":
        return judge_windows_camera(_registered(_OBS_CAMERA), _registered(_UNITY_CAPTURE))
    if sys.platform == "darwin":
        return judge_mac_camera(_mac_obs_version(), _run(["systemextensionsctl", "list"]))
    devices = [(path, label, os.access(path, os.R_OK | os.W_OK)) for path, label in virtual_devices().items()]
    return judge_linux_camera(devices, _module_installed())


def judge_linux_camera(devices: Sequence[tuple[str, str, bool]], module_installed: bool) -> Check:
    """Linux: `devices` are v4l2loopback's (path, label, may be written)."""
    name = "Virtual camera"
    usable = [f"{path} ({label})" for path, label, writable in devices if writable]
    if usable:
        return Check(name, Status.OK, ", ".join(usable))
    if devices:
        found = f"{', '.join(path for path, _, _ in devices)}, but this user may not write to it."
        return Check(name, Status.WARN, found, "Run: sudo usermod -aG video $USER, then log out and in again.")
    if module_installed:
        return Check(name, Status.WARN, "v4l2loopback is installed but not loaded.", f"Run: {SETUP_COMMAND}")
    installs = f"Debian, Ubuntu: {INSTALL_COMMAND}. Fedora (RPM Fusion): sudo dnf install akmod-v4l2loopback. "
    installs += "Arch: sudo pacman -S v4l2loopback-dkms. Then run: "
    return Check(name, Status.WARN, "v4l2loopback, Linux's virtual camera, is not installed.", installs + SETUP_COMMAND)


def judge_windows_camera(obs: bool, unity_capture: bool) -> Check:
    """Windows: which virtual cameras are registered."""
    names = [name for name, there in (("OBS Virtual Camera", obs), ("Unity Capture", unity_capture)) if there]
    if names:
        return Check("Virtual camera", Status.OK, ", ".join(names))
    remedy = "Install OBS Studio from obsproject.com; it brings its virtual camera along. (Or install Unity Capture.)"
    return Check("Virtual camera", Status.WARN, "None is installed.", remedy)


def judge_mac_camera(obs_version: str | None, extensions: str) -> Check:
    """macOS: OBS's version (None: not installed) and what `systemextensionsctl list` says."""
    name = "Virtual camera"
    start_once = "Open OBS, click Start Virtual Camera, allow its extension in System Settings, then click Stop Virtual Camera."
    if obs_version is None:
        remedy = f"Install OBS Studio 30 or newer from obsproject.com. {start_once}"
        return Check(name, Status.WARN, "OBS, which brings the virtual camera, is not installed.", remedy)
    major = obs_version.partition(".")[0]
    if major.isdigit() and int(major) < 30:
        return Check(name, Status.WARN, f"OBS {obs_version} is too old.", f"Install OBS Studio 30 or newer. {start_once}")
    if not re.search(r"com\.obsproject\.\S*camera.*\[activated enabled\]", extensions):
        return Check(name, Status.WARN, f"OBS {obs_version}, whose virtual camera is not activated yet.", start_once)
    return Check(name, Status.OK, f"OBS Virtual Camera (OBS {obs_version})")


def _module_installed() -> bool:
    return any(Path("/lib/modules", platform.release()).glob("**/v4l2loopback.ko*"))


def _registered(identifier: str) -> bool:
    """Whether Windows knows a class of this identifier."""
    import importlib

    registry: Any = importlib.import_module("winreg")
    try:
        registry.CloseKey(registry.OpenKey(registry.HKEY_CLASSES_ROOT, f"CLSID\\{identifier}"))
    except OSError:
        return False
    return True


def _mac_obs_version() -> str | None:
    import plistlib

    for folder in (Path("/Applications"), Path.home() / "Applications"):
        try:
            with (folder / "OBS.app" / "Contents" / "Info.plist").open("rb") as file:
                return str(plistlib.load(file).get("CFBundleShortVersionString", "0"))
        except OSError:
            continue
    return None


def _window() -> Check:
    from importlib.util import find_spec

    from gpen_live.system.display import display_available

    package = find_spec("PySide6")
    if package is None or not package.submodule_search_locations:
        return Check("Window", Status.FAIL, "Qt (PySide6) is not installed.", "Run the set-up again: packaging/start.py")
    missing: list[str] = []
    if sys.platform.startswith("linux"):
        plugin = Path(package.submodule_search_locations[0]) / "Qt" / "plugins" / "platforms" / "libqxcb.so"
        missing = missing_from_ldd(_run(["ldd", str(plugin)]))
    return judge_window(missing, display_available())


def missing_from_ldd(output: str) -> list[str]:
    """The libraries that `ldd` did not find."""
    return list(dict.fromkeys(re.findall(r"^\s*(\S+) => not found", output, re.MULTILINE)))


def judge_window(missing: Sequence[str], has_display: bool) -> Check:
    """Whether Qt's libraries are complete and there is a display."""
    if missing:
        packages = " ".join(dict.fromkeys(debian_package(library) for library in missing))
        remedy = f"Debian, Ubuntu: sudo apt install {packages}. Elsewhere install what holds these libraries."
        return Check("Window", Status.WARN, f"Qt lacks libraries of this system: {', '.join(missing)}.", remedy)
    if not has_display:
        remedy = "Start it in a desktop session, or use: gpen-live run --headless"
        return Check("Window", Status.WARN, "No display (neither DISPLAY nor WAYLAND_DISPLAY is set).", remedy)
    return Check("Window", Status.OK, "Qt's libraries are complete, and there is a display.")


def debian_package(library: str) -> str:
    """The package of a library by Debian's naming policy: libxcb-cursor.so.0 is in libxcb-cursor0."""
    stem, _, version = library.lower().partition(".so.")
    return f"{stem}-{version}" if stem[-1:].isdigit() else f"{stem}{version}"


def _weights() -> Check:
    from gpen_live.models.fetch import list_models, verify

    faults = [result.error for result in verify() if result.error is not None]
    if faults:
        shipped_lost = any(state.spec.shipped and state.place == "missing" for state in list_models())
        remedies = " ".join(dict.fromkeys(fault.remedy for fault in faults))
        return Check("Models", Status.FAIL if shipped_lost else Status.WARN, " ".join(f.what for f in faults), remedies)
    here = [state.spec.name for state in list_models() if state.place != "missing"]
    return Check("Models", Status.OK, f"{', '.join(here)}: here and verified")


def _encoder() -> Check:
    import av

    try:
        encoder = av.codec.Codec("libx264", "w")
    except av.codec.codec.UnknownCodecError:
        found = f"PyAV {av.__version__} without an H.264 encoder, so recordings can't be made."
        return Check("Recording", Status.WARN, found, "Install PyAV's own build: pip install --force-reinstall av")
    return Check("Recording", Status.OK, f"{encoder.long_name} (PyAV {av.__version__})")


def _disk() -> Check:
    from gpen_live.models.registry import models_folder

    folder = models_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    found = f"{free:.1f} GiB free where models are kept ({models_folder()})"
    if free < 2:
        return Check("Disk", Status.WARN, found, "A model takes up to 0.3 GiB and a recording about 3 GiB an hour; make room.")
    return Check("Disk", Status.OK, found)


def _settings() -> Check:
    from gpen_live.system.folders import config_dir

    return judge_settings(config_dir() / "settings.json")


def judge_settings(path: Path) -> Check:
    """Whether the settings file can be used; only looks at it, and leaves setting it aside to the app."""
    from gpen_live.settings import VERSION, Settings, migrate

    try:
        tree = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        version = tree.get("version", 1)
        if isinstance(version, int) and version > VERSION:
            return Check("Settings", Status.WARN, f"{path} is from a newer version.", "Update GPEN Live, or defaults are used.")
        msgspec.convert(migrate(tree), Settings)
    except FileNotFoundError:
        return Check("Settings", Status.OK, "None saved yet; defaults are used.")
    except (OSError, msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        found = f"{path} can't be used ({str(error).splitlines()[0]})."
        return Check("Settings", Status.WARN, found, "The window sets it aside and starts with defaults.")
    return Check("Settings", Status.OK, str(path))


def _log_file() -> Check:
    path = log_file()
    found = f"What went wrong is in {path}." if path.is_file() else f"Nothing went wrong so far; it would be in {path}."
    return Check("Log", Status.OK, found)


EXAMINATIONS: tuple[tuple[str, Examination], ...] = (
    ("System", _system),
    ("Python", _python),
    ("Processor", _processor),
    ("Memory", _memory),
    ("Graphics", _pytorch),
    ("Compute", _proof),
    ("Cameras", _cameras),
    ("Virtual camera", _virtual_camera),
    ("Window", _window),
    ("Models", _weights),
    ("Recording", _encoder),
    ("Disk", _disk),
    ("Settings", _settings),
    ("Log", _log_file),
)
"""Every check by the name that it has when it fails before it can give itself one."""
