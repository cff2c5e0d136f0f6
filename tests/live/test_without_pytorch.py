"""On a processor the live path does without PyTorch and all that belongs to training: they cost seconds and half a gigabyte."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

HEAVY = ("torch", "torchvision", "facexlib", "basicsr", "scipy", "skimage", "numba", "pandas")

RUN = """
import json, sys
from gpen_live.cli.main import leave, main
options = "--source demo --size 640x360 --device cpu --report".split()
code = main(["run", "--headless", "--seconds", "1", *options, sys.argv[1]])
code = code or main(["run", "--as-fast-as-possible", "--frames", "8", *options, sys.argv[2]])
modules = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"code": code, "modules": modules}), file=sys.stderr)
leave(code)  # as the app itself: while beauty may still load
"""


def test_a_second_of_the_live_path_imports_nothing_heavy(tmp_path: Path) -> None:
    """Live; and with each frame waited for, so that beauty is there, too."""
    live, film = tmp_path / "live.json", tmp_path / "film.json"
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(live), str(film)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    found = json.loads(done.stderr.splitlines()[-1])
    assert found["code"] == 0, done.stderr
    assert {"openvino", "cv2"} <= set(found["modules"]), "the network ran"
    assert sorted(set(HEAVY) & set(found["modules"])) == []
    counts = json.loads(live.read_text(encoding="utf-8"))["frames"]
    assert counts["enhanced"] > 0
    figures = json.loads(film.read_text(encoding="utf-8"))
    assert figures["latency_ms"]["beauty"]["p50"] > 0
    assert figures["notes"] == []
