"""What the two guests have in common: Debian's packages, and the script that the guest runs. Standard library only."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap import SetupError

_ENVIRONMENT = {
    **os.environ,
    "DEBIAN_FRONTEND": "noninteractive",
    "LC_ALL": "C",
    "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
}


@dataclass(frozen=True)
class Job:
    """What a guest is to do.

    Args:
        cache: for what serves again. scratch: for this run's own files. out: what the guest may write to.
        python: runs `tests`, files of pytest's, with `arguments`, in the folder `root`.
        limit: seconds that this may take.
    """

    cache: Path
    scratch: Path
    out: Path
    python: Path
    root: Path
    tests: Sequence[Path]
    arguments: Sequence[str]
    limit: int


def say(text: str) -> None:
    """One line of progress."""
    print(f"[real camera] {text}", flush=True)


def call(*command: str | Path, cwd: Path | None = None, log: Path | None = None) -> str:
    """Runs one step and returns what it prints.

    Raises:
        SetupError: it failed; with the end of what it said, which is in `log` in full.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if log is not None:
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise SetupError(f"{command[0]} failed while the guest was prepared: {shlex.join(map(str, command))}\n{said}")
    return done.stdout


def need(programs: dict[str, str]) -> None:
    """Gets programs (by Debian package) that this machine lacks.

    Raises:
        SetupError: it may not install them, or there are none to be had.
    """
    path = _ENVIRONMENT["PATH"]
    missing = [package for program, package in programs.items() if shutil.which(program, path=path) is None]
    if not missing:
        return
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *dict.fromkeys(missing)]
    if shutil.which("apt-get") is None:
        raise SetupError(f"The guest needs Debian's packages {', '.join(missing)}, and this is no Debian.")
    if os.geteuid() != 0:
        raise SetupError(f"The guest needs programs that are not here. Run: sudo {shlex.join(install)}")
    say(f"Installing {', '.join(missing)} ...")
    call("apt-get", "update", "--quiet")
    call(*install)


def kernel_version() -> str:
    """Debian's newest stock kernel, such as "6.1.0-56-amd64"."""
    return candidate("linux-image-amd64").removeprefix("linux-image-")


def refresh() -> None:
    """Brings apt's lists up to date, where that is allowed: those of a fresh machine are empty, old ones name what is gone."""
    if os.geteuid() == 0:
        call("apt-get", "update", "--quiet")


def candidate(package: str) -> str:
    """The versioned package that Debian's `package` stands for now, such as linux-source-6.1 for linux-source."""
    names = [name for name in _depends(package) if re.match(r"linux-\w+-\d", name)]
    if not names:
        raise SetupError(f"apt knows no {package}. Run: sudo apt-get update")
    return names[0]


def unpack(names: Sequence[str], folder: Path) -> None:
    """Downloads Debian packages and unpacks them; installs nothing."""
    debs = folder / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    call("apt-get", "download", "--quiet", *names, cwd=debs)
    for deb in sorted(debs.glob("*.deb")):
        call("dpkg", "-x", deb, folder)
    shutil.rmtree(debs)


def header_packages(version: str) -> list[str]:
    """The packages with which modules for this kernel are built."""
    wanted = re.compile(r"linux-(headers|kbuild|compiler)-")
    return [f"linux-headers-{version}", *(name for name in _depends(f"linux-headers-{version}") if wanted.match(name))]


def _depends(package: str) -> list[str]:
    try:
        listing = call("apt-cache", "depends", package)
    except SetupError:
        return []
    return re.findall(r"^\s*\|?Depends: ([^\s<]+)", listing, re.MULTILINE)


def guest_script(job: Job, before: str) -> Path:
    """Writes the guest's first program: it runs `before`, then the tests, says how they ended, and turns the machine off."""
    ini = job.root / "tests" / "real_camera" / "guest" / "pytest.ini"
    pytest = [
        job.python,
        "-m",
        "pytest",
        "-c",
        ini,
        f"--rootdir={job.root}",
        "-p",
        "pytest_timeout",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:terminalprogress",
    ]
    pytest += ["-v", "--color=no", "--durations=8", f"--junitxml={job.out / 'results.xml'}", *job.tests, *job.arguments]
    script = job.scratch / "guest.sh"
    script.write_text(
        f"""#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 GPEN_LIVE_GUEST=1 GPEN_LIVE_OUT={shlex.quote(str(job.out))}
# An emulated processor pays dearly for every page that is mapped: memory once had is kept.
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_TOP_PAD_=67108864
echo "GUEST-UP $(cut -d' ' -f1 /proc/uptime) s, $(uname -r)"
{before}
cd {shlex.quote(str(job.root))} || echo "no folder {job.root}"
timeout {job.limit} {shlex.join(map(str, pytest))}
echo "GUEST-RC=$?"
echo "GUEST-DOWN $(cut -d' ' -f1 /proc/uptime) s"
/bin/busybox poweroff -f
""",
        encoding="utf-8",
    )
    script.chmod(0o755)
    return script
