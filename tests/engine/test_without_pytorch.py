"""On a processor a frame's whole way needs no PyTorch: importing it takes longer than all else until the first frame."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

FRAMES = """
import sys
import numpy as np
from gpen_live.engine.engine import Engine
from gpen_live.frame import PixelFormat, Size
from gpen_live.inference.device import CPU
from gpen_live.inference.loading import load_detector, load_enhancer
from gpen_live.look import Look, Mode
from gpen_live.presets import BUILT_IN
from gpen_live.sources.demo_scene import DemoScene

engine = Engine(CPU, load_detector(CPU), load_enhancer("lite-256", None, CPU))
scene = DemoScene(Size(640, 360), 30.0)
for mode in Mode:
    for number in range(3):
        done = engine.process(scene.frame(number), number / 30, Look(mode=mode))
    assert not done.raw_reason, done.raw_reason
    assert (done.image != scene.frame(2)).any()
    done.picture.pixels(PixelFormat.NV12)
beauty = {"gpen_live.beauty", "gpen_live.beauty.host", "gpen_live.inference.face_mesh", "gpen_live.inference.retouch"}
assert not beauty & set(sys.modules), "what is off is not even imported"

from gpen_live.beauty.stage import open_stage

engine.stages = (open_stage(CPU),)
for mode in Mode:
    for number in range(3, 6):
        done = engine.process(scene.frame(number), number / 30, Look(mode=mode, beauty=BUILT_IN["glam"]))
    assert done.times_ms["beauty"] > 0 and not engine.notes, engine.notes
print(sorted({"torch", "torchvision", "scipy", "facexlib", "skimage"} & set(sys.modules)))
"""


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="without OpenVINO PyTorch is what runs the network")
def test_a_frame_s_way_on_a_processor_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", FRAMES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
