"""The app's camera and virtual camera against the real Linux drivers, in a guest kernel: `run.py qemu` or `run.py uml`.

Standard library only. Exits with 0 only if the guest came up, ran every test and passed every one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

from bootstrap import SetupError, main, prepare  # noqa: E402
from tests.real_camera import qemu, uml  # noqa: E402
from tests.real_camera.machine import Job, say  # noqa: E402
from tests.real_camera.verdict import judge  # noqa: E402

GUEST = Path(__file__).resolve().parent / "guest"
_BOOT_S = 120


def _run() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("machine", choices=("qemu", "uml"))
    parser.add_argument("--python", type=Path, help="interpreter that has what the tests need; by default .venv is set up")
    parser.add_argument("--limit", type=int, default=900, help="seconds that the tests may take in the guest")
    parser.add_argument("--keep", type=Path, help="an empty folder for what the guest leaves behind (log, results, pictures)")
    parser.add_argument("--only", metavar="EXPRESSION", help="run only the tests that pytest's -k would choose")
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        raise SetupError("These tests need a Linux machine to boot their guest on.")
    python = options.python.absolute() if options.python else prepare(tests=True, window=True)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpen-live-guest"
    machine = {"qemu": qemu, "uml": uml}[options.machine]
    begun = time.monotonic()
    machine.prepare(cache)
    with tempfile.TemporaryDirectory(prefix="gpen-live-guest-") as scratch:
        out = options.keep or Path(scratch) / "out"
        out.mkdir(parents=True, exist_ok=True)
        (out / "results.xml").unlink(missing_ok=True)  # an earlier run's
        tests = sorted(path for folder in machine.FOLDERS for path in (GUEST / folder).glob("test_*.py"))
        job = Job(
            cache, Path(scratch), out.absolute(), python, ROOT, tests, ["-k", options.only] if options.only else [], options.limit
        )
        command = machine.command(job)
        say(f"The guest boots after {time.monotonic() - begun:.0f} s of preparations.")
        log = _boot(command, options.limit + _BOOT_S)
        (out / "guest.log").write_text(log, encoding="utf-8")
        problems, summary = judge(log, out / "results.xml", [] if options.only else [path.stem for path in tests])
    for problem in problems:
        say(problem)
    print(f"===== real camera ({options.machine}): {summary} in {time.monotonic() - begun:.2f}s =====")
    return 1 if problems else 0


def _boot(command: list[str], limit: float) -> str:
    """All that the guest prints, which is shown as it comes; a guest that does not end by itself is ended."""
    guest = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    timer = threading.Timer(limit, guest.kill)
    timer.start()
    lines = []
    try:
        assert guest.stdout is not None
        for line in guest.stdout:
            lines.append(line.rstrip("\r\n"))
            print(lines[-1], flush=True)
    finally:
        timer.cancel()
        guest.kill()
        guest.wait()
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(_run))
