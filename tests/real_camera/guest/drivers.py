"""The kernel's side: drivers loaded and unloaded, the camera unplugged and plugged in."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from gpen_live.sinks import loopback
from tests.real_camera.guest.programs import wait_until
from tests.real_camera.parameters import LOOPBACKS

CAMERA, VIRTUAL, FILM, OPEN = "/dev/video0", "/dev/video10", "/dev/video11", "/dev/video12"
_VIVID = Path("/sys/bus/platform/drivers/vivid")
_NODES = Path("/sys/class/video4linux")


def camera_node() -> str | None:
    """vivid's device, whatever its number is now; None while it is unplugged."""
    return next((f"/dev/{node.name}" for node in sorted(_NODES.glob("video*")) if "vivid" in _text(node / "name")), None)


def unplug() -> None:
    """Takes the camera away from under whoever uses it, as pulling its plug does."""
    (_VIVID / "unbind").write_text("vivid.0")


def plug_in() -> None:
    """Gives it back; under another number while somebody still holds the old one."""
    (_VIVID / "bind").write_text("vivid.0")
    wait_until(lambda: (node := camera_node()) is not None and Path(node).exists())


def control(name: str, value: int) -> None:
    """Sets one of vivid's controls: error injection, "disconnect" and the rest."""
    call("v4l2-ctl", "-d", camera_node() or CAMERA, "-c", f"{name}={value}")


def call(*command: str) -> str:
    """Runs a tool of the system that must succeed; returns what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def refused(*command: str) -> str:
    """Runs a tool of the system that must fail; returns what it complains about."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0, f"{shlex.join(command)} went through"
    return done.stderr


def by_root(command: str) -> tuple[str, ...]:
    """A command that the app tells people to type, for one who is root already."""
    return tuple(word for word in shlex.split(command) if word != "sudo")


def loopbacks_loaded() -> bool:
    """Whether the virtual camera's driver is there."""
    return loopback.module_loaded() and bool(loopback.virtual_devices())


def reload_loopbacks() -> None:
    """The loopbacks as the guest's start left them."""
    call("modprobe", "-r", "v4l2loopback")
    call("modprobe", "v4l2loopback", *(f"{name}={value.strip(chr(34))}" for name, value in LOOPBACKS.items()))
    wait_until(lambda: all(Path(node).exists() for node in (VIRTUAL, FILM, OPEN)))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
