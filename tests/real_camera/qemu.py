"""The guest that every machine can boot: Debian's stock kernel on an emulated processor, over the host's files."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from pathlib import Path

from tests.real_camera.machine import Job, call, guest_script, header_packages, kernel_version, need, refresh, say, unpack
from tests.real_camera.parameters import CAMERA, LOOPBACKS, spelled

FOLDERS = ("io", "unloading")
"""The folders of tests that this guest runs."""

_PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "modprobe": "kmod",
    "v4l2-ctl": "v4l-utils",
    "gcc": "gcc",
    "make": "make",
    "strip": "binutils",
}
_FIRST = ("virtio_pci", "9pnet_virtio", "9p", "overlay")  # what it takes to see the host's files
_MEMORY_MB = 2048


def prepare(cache: Path) -> None:
    """Kernel and driver, unpacked and built once."""
    need(_PROGRAMS)
    if not any(cache.glob("*/ready")):
        refresh()
    version = kernel_version()
    kernel = cache / version
    if (kernel / "ready").exists():
        return
    if kernel.exists():
        shutil.rmtree(kernel)
    say(f"Getting Debian's kernel {version} ...")
    unpack([f"linux-image-{version}", *header_packages(version), "v4l2loopback-dkms"], kernel)
    say("Building v4l2loopback ...")
    module = _build_loopback(kernel, version)
    extra = kernel / "lib" / "modules" / version / "extra"
    extra.mkdir()
    shutil.copy(module, extra)
    call("depmod", "-b", kernel, version)
    (kernel / "ready").touch()


def _build_loopback(kernel: Path, version: str) -> Path:
    """The headers' Makefiles name /usr/src and /usr/lib: they are pointed at the unpacked copy."""
    sources = kernel / "usr" / "src"
    headers = sources / f"linux-headers-{version}"
    common = next(path for path in sources.glob("linux-headers-*-common"))
    kbuild = next((kernel / "usr" / "lib").glob("linux-kbuild-*"))
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text(encoding="utf-8").replace("/usr/src", str(sources)), encoding="utf-8")
    for folder in (headers, common):
        for name in ("scripts", "tools"):
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(kbuild / name)
    loopback = next(sources.glob("v4l2loopback-*"))
    call("make", "-s", "-C", headers, f"M={loopback}", "modules", log=kernel / "v4l2loopback.log")
    call("strip", "--strip-debug", loopback / "v4l2loopback.ko")
    return loopback / "v4l2loopback.ko"


def command(job: Job) -> list[str]:
    """What boots the guest and lets it run `job`."""
    version = kernel_version()
    kernel = job.cache / version
    modules = shlex.quote(str(kernel / "lib" / "modules" / version))
    script = guest_script(
        job,
        f"mkdir -p /lib/modules && ln -sfn {modules} /lib/modules/\n"
        f"modprobe vivid {spelled(CAMERA)} && modprobe v4l2loopback {spelled(LOOPBACKS)} || echo 'the drivers do not load'",
    )
    initrd = _initrd(job, kernel, version, script)
    share = "security_model=none,multidevs=remap"
    return [
        *("qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(_MEMORY_MB)),
        *("-display", "none", "-nodefaults", "-serial", "stdio", "-no-reboot"),
        *("-kernel", str(kernel / "boot" / f"vmlinuz-{version}"), "-initrd", str(initrd)),
        *("-append", "console=ttyS0 quiet panic=-1"),
        *("-virtfs", f"local,path=/,mount_tag=host,{share},readonly=on"),
        *("-virtfs", f"local,path={job.out},mount_tag=out,{share}"),
    ]


def _initrd(job: Job, kernel: Path, version: str, script: Path) -> Path:
    """Busybox and the modules that it takes to lay a throw-away layer over the host's files and go on there."""
    with tempfile.TemporaryDirectory(dir=job.scratch) as name:
        folder = Path(name)
        for inner in ("bin", "dev", "mods", "n", "proc", "ro", "rw", "sys"):
            (folder / inner).mkdir()
        busybox = shutil.which("busybox")
        assert busybox is not None, "see _PROGRAMS"
        shutil.copy(busybox, folder / "bin" / "busybox")
        order: dict[str, None] = {}
        for module in _FIRST:
            for line in call("modprobe", "-d", kernel, "-S", version, "--show-depends", module).splitlines():
                if line.startswith("insmod "):
                    order[line.split()[1]] = None
        for path in order:
            shutil.copy(path, folder / "mods")
        names = " ".join(Path(path).name for path in order)
        init = folder / "init"
        init.write_text(
            f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc p /proc && mount -t sysfs s /sys && mount -t devtmpfs d /dev
for module in {names}; do insmod /mods/$module || echo "insmod $module failed"; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /ro || poweroff -f
mount -t tmpfs t /rw && mkdir /rw/u /rw/w
mount -t overlay -o lowerdir=/ro,upperdir=/rw/u,workdir=/rw/w o /n || poweroff -f
mount -t devtmpfs d /n/dev && mkdir -p /n/dev/shm && mount -t tmpfs t /n/dev/shm
mount -t proc p /n/proc && mount -t sysfs s /n/sys
mount -t 9p -o trans=virtio,version=9p2000.L out /n{shlex.quote(str(job.out))} || echo "nowhere to write to"
exec switch_root /n {shlex.quote(str(script))}
""",
            encoding="utf-8",
        )
        init.chmod(0o755)
        image = job.scratch / "initrd.img"
        call("sh", "-c", f"find . | cpio --quiet -o -H newc | gzip -1 > {shlex.quote(str(image))}", cwd=folder)
    return image
