"""The guest that runs at the processor's own speed: User-Mode Linux, a kernel that is a process, with both drivers built in.

Building it takes minutes, once: it is kept in the cache. It has one processor and the host's files under a throw-away layer.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from tests.real_camera.machine import Job, call, candidate, guest_script, need, refresh, say, unpack
from tests.real_camera.parameters import CAMERA, LOOPBACKS, spelled

FOLDERS = ("io", "app")
"""The folders of tests that this guest runs."""

_PROGRAMS = {
    "busybox": "busybox-static",
    "modprobe": "kmod",
    "v4l2-ctl": "v4l-utils",
    "gcc": "gcc",
    "make": "make",
    "strip": "binutils",
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "xz": "xz-utils",
    "Xvfb": "xvfb",
}
_MEMORY_MB = 6144
_CONFIG = Path(__file__).with_name("uml.config")
_KCONFIG = 'config V4L2_LOOPBACK\n\ttristate "v4l2loopback"\n\tdepends on VIDEO_DEV\n'


def prepare(cache: Path) -> None:
    """The kernel, built once."""
    need(_PROGRAMS)
    kernel = _kernel(cache)
    if kernel.exists():
        return
    refresh()
    package = candidate("linux-source")
    work = cache / "uml-build"
    shutil.rmtree(work, ignore_errors=True)
    say(f"Getting {package} ...")
    unpack([package, "v4l2loopback-dkms"], work)
    call("tar", "-xf", next((work / "usr" / "src").glob("linux-source-*.tar.xz")), cwd=work)
    source = next(path for path in work.glob("linux-source-*") if path.is_dir())
    _add_loopback(source, next((work / "usr" / "src").glob("v4l2loopback-*")))
    _make_room_for_registers(source)
    say("Building the kernel: some minutes ...")
    make = ["make", "-s", "-C", str(source), "ARCH=um", f"O={work / 'out'}"]
    call(*make, "x86_64_defconfig")
    config = work / "out" / ".config"
    config.write_text(config.read_text(encoding="utf-8") + _CONFIG.read_text(encoding="utf-8"), encoding="utf-8")
    call(*make, "olddefconfig")
    call(*make, f"-j{os.cpu_count()}", "linux", log=cache / "uml-build.log")
    call("strip", "--strip-debug", work / "out" / "linux")
    shutil.move(work / "out" / "linux", kernel)
    shutil.rmtree(work)


def _kernel(cache: Path) -> Path:
    return cache / "linux-uml"


def _add_loopback(source: Path, loopback: Path) -> None:
    """v4l2loopback among the kernel's own drivers."""
    media = source / "drivers" / "media"
    folder = media / "v4l2loopback"
    folder.mkdir()
    for path in loopback.glob("*.[ch]"):
        shutil.copy(path, folder)
    (folder / "Makefile").write_text("obj-$(CONFIG_V4L2_LOOPBACK) += v4l2loopback.o\n", encoding="utf-8")
    (folder / "Kconfig").write_text(_KCONFIG, encoding="utf-8")
    with (media / "Makefile").open("a", encoding="utf-8") as makefile:
        makefile.write("obj-$(CONFIG_V4L2_LOOPBACK) += v4l2loopback/\n")
    kconfig = media / "Kconfig"
    neighbour = 'source "drivers/media/test-drivers/Kconfig"\n'
    text = kconfig.read_text(encoding="utf-8")
    kconfig.write_text(text.replace(neighbour, neighbour + 'source "drivers/media/v4l2loopback/Kconfig"\n'), encoding="utf-8")


def _make_room_for_registers(source: Path) -> None:
    """On a processor with AMX the kernels before 6.13 end at once: they keep 2696 bytes of a program's registers, of 11008."""
    offsets = source / "arch" / "x86" / "um" / "user-offsets.c"
    text = offsets.read_text(encoding="utf-8")
    offsets.write_text(text.replace("DEFINE_LONGS(HOST_FP_SIZE, 2696)", "DEFINE_LONGS(HOST_FP_SIZE, 12288)"), encoding="utf-8")


def command(job: Job) -> list[str]:
    """What boots the guest and lets it run `job`."""
    script = guest_script(job, "")
    init = job.scratch / "init.sh"
    busybox = shutil.which("busybox")
    init.write_text(
        f"""#!{busybox} sh
b={busybox}
$b mount -t proc p /proc && $b mount -t tmpfs t /mnt && $b mkdir /mnt/u /mnt/w /mnt/n
$b mount -t overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w o /mnt/n || $b poweroff -f
$b mount -t devtmpfs d /mnt/n/dev && $b mkdir -p /mnt/n/dev/shm /mnt/n/dev/pts && $b mount -t tmpfs t /mnt/n/dev/shm
$b mount -t proc p /mnt/n/proc && $b mount -t sysfs s /mnt/n/sys
$b mount -t hostfs -o {shlex.quote(str(job.out))} h /mnt/n{shlex.quote(str(job.out))} || echo "nowhere to write to"
exec $b chroot /mnt/n {shlex.quote(str(script))}
""",
        encoding="utf-8",
    )
    init.chmod(0o755)
    return [
        *(str(_kernel(job.cache)), f"mem={_MEMORY_MB}M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet"),
        *(f"init={init}", "con=null", "con0=null,fd:1"),
        *(spelled(CAMERA, "vivid.").split()),
        spelled(LOOPBACKS, "v4l2loopback."),
    ]
