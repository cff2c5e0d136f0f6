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
from gpen_live.errors import reason_of
from gpen_live.messages import Message, joined, message
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
    message: Message

    @property
    def found(self) -> str:
        """What was found."""
        return self.message.what

    @property
    def remedy(self) -> str:
        """What to do about it; empty where there is nothing to do."""
        return self.message.remedy


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
        checks = [
            {"name": check.name, "status": check.status, "found": check.found, "remedy": check.remedy} for check in self.checks
        ]
        tree = {"version": self.version, "status": self.status, "checks": checks}
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
    checks = [_isolated(name, examination) for name, examination in chosen]
    return DoctorReport(__version__, tuple(Check(check.name, check.status, _scrubbed(check.message)) for check in checks))


def _isolated(name: str, examination: Examination) -> Check:
    """Runs one check in a thread of its own, so that neither an error nor a driver that hangs ends the report."""
    results: list[Check] = []

    def work() -> None:
        try:
            results.append(examination())
        except Exception as error:  # noqa: BLE001  whatever it is, it is a finding
            results.append(Check(name, Status.WARN, message("doctor.failed", reason=reason_of(error))))

    thread = threading.Thread(target=work, name=f"doctor: {name}", daemon=True)
    thread.start()
    thread.join(CHECK_LIMIT_S)
    if results:
        return results[0]
    return Check(name, Status.WARN, message("doctor.no_answer", seconds=CHECK_LIMIT_S))


def _scrubbed(told: Message) -> Message:
    """The message without anything private in its parameters; its sentence has nothing such."""
    values = ((name, _scrubbed(value) if isinstance(value, Message) else value) for name, value in told.values)
    return Message(told.id, tuple((name, scrub(value) if isinstance(value, str) else value) for name, value in values))


def _run(command: Sequence[str], limit_s: float = 20.0) -> str:
    """What a tool of the system prints; an empty text when it isn't there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _python() -> Check:
    suits = (3, 10) <= sys.version_info[:2] < (3, 13)
    found = message(
        "doctor.python" if suits else "doctor.python_unsuited",
        version=platform.python_version(),
        bits=platform.architecture()[0],
    )
    return Check("Python", Status.OK if suits else Status.FAIL, found)


def _system() -> Check:
    name = f"{platform.system()} {platform.release()} ({platform.machine()})"
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, KeyError):
            name = f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {name}"
    elif sys.platform == "darwin":
        name = f"macOS {platform.mac_ver()[0]}, {name}"
    return Check("System", Status.OK, message("doctor.system", name=name))


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
    slow = platform.machine().lower() in ("x86_64", "amd64") and not can.get("avx2")
    found = message(
        "doctor.processor_slow" if slow else "doctor.processor",
        name=cpu_name(),
        cores=cores,
        threads=psutil.cpu_count() or cores,
        sets=", ".join(sets) or "-",
    )
    return Check("Processor", Status.WARN if slow else Status.OK, found)


def _memory() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    low = memory.available < 2 * 2**30
    found = message("doctor.memory_low" if low else "doctor.memory", total=memory.total / 2**30, free=memory.available / 2**30)
    return Check("Memory", Status.WARN if low else Status.OK, found)


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
    build = message("doctor.torch", version=version, cuda=cuda) if cuda else message("doctor.torch_no_cuda", version=version)
    command = rebuild_command(version.partition("+")[0], Path(sys.prefix))
    if usable:
        return Check(name, Status.OK, message("doctor.graphics", cards=", ".join(usable), build=build))
    if cards and cuda is None:
        found = message("doctor.graphics_other_build", cards=", ".join(cards), build=build, command=command)
        return Check(name, Status.WARN, found)
    if cards:
        found = message("doctor.graphics_old_driver", cards=", ".join(cards), build=build, command=command)
        return Check(name, Status.WARN, found)
    return Check(name, Status.OK, message("doctor.graphics_none", build=build))


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
    found = message("doctor.compute", device=describe_device(device), gflop=work_gflop, ms=best * 1e3, rate=work_gflop / best)
    if error > 0.02:  # TF32 and its like are off by about 0.002 here
        return Check("Compute", Status.FAIL, message("doctor.compute_wrong", cause=found, error=error))
    return Check("Compute", Status.OK, found)


def _cameras() -> Check:
    from gpen_live.sources.devices import list_cameras

    cameras = list_cameras()
    if cameras:
        names = "; ".join(f"camera:{camera.index} {camera.name}" for camera in cameras)
        return Check("Cameras", Status.OK, message("doctor.cameras", cameras=names))
    return Check("Cameras", Status.WARN, message("doctor.no_cameras"))


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
        return Check(name, Status.OK, message("doctor.vcam", names=", ".join(usable)))
    if devices:
        paths = ", ".join(path for path, _, _ in devices)
        return Check(name, Status.WARN, message("doctor.vcam_no_permission", devices=paths))
    if module_installed:
        return Check(name, Status.WARN, message("doctor.vcam_not_loaded", setup=SETUP_COMMAND))
    return Check(name, Status.WARN, message("doctor.vcam_not_installed", install=INSTALL_COMMAND, setup=SETUP_COMMAND))


def judge_windows_camera(obs: bool, unity_capture: bool) -> Check:
    """Windows: which virtual cameras are registered."""
    names = [name for name, there in (("OBS Virtual Camera", obs), ("Unity Capture", unity_capture)) if there]
    if names:
        return Check("Virtual camera", Status.OK, message("doctor.vcam", names=", ".join(names)))
    return Check("Virtual camera", Status.WARN, message("doctor.vcam_none_windows"))


def judge_mac_camera(obs_version: str | None, extensions: str) -> Check:
    """macOS: OBS's version (None: not installed) and what `systemextensionsctl list` says."""
    name = "Virtual camera"
    if obs_version is None:
        return Check(name, Status.WARN, message("doctor.vcam_obs_none"))
    major = obs_version.partition(".")[0]
    if major.isdigit() and int(major) < 30:
        return Check(name, Status.WARN, message("doctor.vcam_obs_old", version=obs_version))
    if not re.search(r"com\.obsproject\.\S*camera.*\[activated enabled\]", extensions):
        return Check(name, Status.WARN, message("doctor.vcam_obs_inactive", version=obs_version))
    return Check(name, Status.OK, message("doctor.vcam_obs", version=obs_version))


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
        return Check("Window", Status.FAIL, message("doctor.window_no_qt"))
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
        found = message("doctor.window_libraries", libraries=", ".join(missing), packages=packages)
        return Check("Window", Status.WARN, found)
    if not has_display:
        return Check("Window", Status.WARN, message("doctor.window_no_display"))
    return Check("Window", Status.OK, message("doctor.window"))


def debian_package(library: str) -> str:
    """The package of a library by Debian's naming policy: libxcb-cursor.so.0 is in libxcb-cursor0."""
    stem, _, version = library.lower().partition(".so.")
    return f"{stem}-{version}" if stem[-1:].isdigit() else f"{stem}{version}"


def _weights() -> Check:
    from gpen_live.models.fetch import list_models, verify

    faults = [result.error for result in verify() if result.error is not None]
    if faults:
        shipped_lost = any(state.spec.shipped and state.place == "missing" for state in list_models())
        told = joined(dict.fromkeys(fault.message for fault in faults))
        return Check("Models", Status.FAIL if shipped_lost else Status.WARN, told)
    here = [state.spec.name for state in list_models() if state.place != "missing"]
    return Check("Models", Status.OK, message("doctor.models", names=", ".join(here)))


def _encoder() -> Check:
    import av

    try:
        encoder = av.codec.Codec("libx264", "w")
    except av.codec.codec.UnknownCodecError:
        return Check("Recording", Status.WARN, message("doctor.no_encoder", version=av.__version__))
    return Check("Recording", Status.OK, message("doctor.encoder", name=encoder.long_name, version=av.__version__))


def _disk() -> Check:
    from gpen_live.models.registry import models_folder

    folder = models_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    found = message("doctor.disk_low" if free < 2 else "doctor.disk", free=free, folder=models_folder())
    return Check("Disk", Status.WARN if free < 2 else Status.OK, found)


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
            return Check("Settings", Status.WARN, message("doctor.settings_newer", path=path))
        msgspec.convert(migrate(tree), Settings)
    except FileNotFoundError:
        return Check("Settings", Status.OK, message("doctor.settings_none"))
    except (OSError, msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        return Check("Settings", Status.WARN, message("doctor.settings_broken", path=path, reason=reason_of(error)))
    return Check("Settings", Status.OK, message("doctor.settings", path=path))


def _log_file() -> Check:
    path = log_file()
    return Check("Log", Status.OK, message("doctor.log" if path.is_file() else "doctor.log_empty", path=path))


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
