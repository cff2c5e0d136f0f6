"""Work in a process of its own: so that memory is one network's alone, and foreign code stays away from ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpen_live
from gpen_live.bench.timing import Going
from gpen_live.errors import GpenLiveError
from gpen_live.messages import message, pack, unpack

Json = dict[str, Any]
_POLL_S = 0.05


def call(module: str, request: Json, going: Going, limit_s: float) -> Json | None:
    """What `module`, run as a program, answers to `request`; None when it was interrupted.

    Raises:
        GpenLiveError: it failed, in its own words, or took longer than `limit_s`.
    """
    with tempfile.TemporaryDirectory(prefix="gpen-live-") as name:
        folder = Path(name)
        answer, said = folder / "answer.json", folder / "said.txt"
        words = json.dumps({**request, "answer": str(answer)})
        with said.open("wb") as log:
            process = subprocess.Popen([sys.executable, "-u", "-m", module, words], env=_environment(), stdout=log, stderr=log)
            try:
                if not _ended(process, going, time.monotonic() + limit_s):
                    return None
            finally:
                process.kill()
                process.wait()
        if not answer.is_file():
            raise GpenLiveError("bench.child_ended", code=process.returncode, reason=_last_line(said))
        found: Json = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in found:
        raise GpenLiveError(unpack(found["error"]))
    return found


def answer(work: Callable[[Json], Json]) -> None:
    """The program's side: does `work` on the request in the command line and leaves the answer, or the error, as a file."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the caller ends this process
    request = json.loads(sys.argv[1])
    try:
        found = work(request)
    except GpenLiveError as error:
        found = {"error": pack(error.message)}
    except (RuntimeError, MemoryError, OSError, ImportError) as error:
        reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        found = {"error": pack(message("bench.child_failed", reason=reason))}
    Path(request["answer"]).write_text(json.dumps(found), encoding="utf-8")


def _environment() -> dict[str, str]:
    """Ours, with this very package first on the path."""
    root = str(Path(gpen_live.__file__).resolve().parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}


def _ended(process: subprocess.Popen[bytes], going: Going, deadline: float) -> bool:
    """Waits for the end; False when interrupted."""
    while process.poll() is None:
        if not going():
            return False
        if time.monotonic() > deadline:
            raise GpenLiveError("bench.child_late")
        time.sleep(_POLL_S)
    return True


def _last_line(said: Path) -> str:
    lines = said.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
