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
from gpen_live.cli.main import main
options = "--source demo --size 640x360 --device cpu --seconds 1 --report".split()
code = main(["run", "--headless", *options, sys.argv[1]])
modules = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"code": code, "modules": modules}), file=sys.stderr)
"""


def test_a_second_of_the_live_path_imports_nothing_heavy(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = subprocess.run([sys.executable, "-c", RUN, str(report)], cwd=ROOT, capture_output=True, text=True, check=False)
    found = json.loads(done.stderr.splitlines()[-1])
    assert found["code"] == 0, done.stderr
    assert {"openvino", "cv2"} <= set(found["modules"]), "the network ran"
    assert sorted(set(HEAVY) & set(found["modules"])) == []
    counts = json.loads(report.read_text(encoding="utf-8"))["frames"]
    assert counts["enhanced"] > 0
