"""The look's kernels: against PyTorch in Triton's interpreter, and through its compiler."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from gpen_live.beauty.torch import NUMBERS, STEP, Rows
from gpen_live.beauty.torch_draw import TorchDraws
from gpen_live.engine.result import Change
from gpen_live.inference.device import CPU
from gpen_live.inference.torch_face_mesh import TorchFaceMesh
from gpen_live.inference.torch_retouch import TorchRetouch
from tests.beauty.on_device import ALL, crops, nothing, told_of
from tests.beauty.painted import DARK_SKIN, painted
from tests.kernels.compiling import compiled, stack_bytes

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.kernels,
    pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed: it comes on Linux"),
    pytest.mark.skipif("TRITON_INTERPRET" in os.environ, reason="Triton's interpreter is on"),
]


def test_the_interpreted_kernels_draw_what_pytorch_draws() -> None:
    script = ROOT / "tests" / "beauty" / "triton_interpreted.py"
    done = subprocess.run([sys.executable, str(script)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    apart = {what: numbers for what, *numbers in map(json.loads, done.stdout.splitlines())}
    assert apart["added"][0] < 0.3
    assert apart["added"][1] > 20
    assert apart["nothing"] == [0.0]
    assert apart["moved"][0] < 1e-4
    assert apart["moved"][1] > 0.5
    assert apart["remembered"][0] < 5e-3
    assert apart["points"][0] < 1e-4
    assert apart["points"][1] > 0.5
    assert apart["speed"][0] < 1e-3 * apart["speed"][1]
    assert apart["found"][0] < 1e-4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@torch.inference_mode()
def test_a_card_finds_and_draws_what_pytorch_does() -> None:
    from gpen_live.beauty.triton_draw import TritonDraws
    from gpen_live.inference import face_mesh, retouch

    card = torch.device("cuda", 0)
    kernels = TritonDraws(*face_mesh.shipped_networks(), retouch.shipped_network(), card)
    kernels.prepare()
    pytorch = TorchDraws(TorchFaceMesh.load(CPU), TorchRetouch.load(CPU), CPU.torch())
    faces = [painted(256, smiling=True), painted(256, DARK_SKIN)]
    found: list[tuple[Change, Rows]] = []
    for draws, there in ((kernels, card), (pytorch, CPU.torch())):
        rows, seen = Rows(3, there), crops(faces, there)
        for i in range(3):
            told, change = told_of([ALL, ALL], there, new=i == 0), nothing(seen, moves=True)
            told[:, STEP] = i / 30
            draws.look(seen, told, rows)
            draws.draw(seen, change, told, rows)
        found.append((change, rows))
    (one, rows), (other, expected) = found
    assert (rows.points.cpu() - expected.points)[1:3].abs().max() < 1e-3
    assert (rows.layers.cpu() - expected.layers)[1:3].abs().max() < 2e-2
    assert (rows.colours.cpu() - expected.colours)[1:3].abs().max() < 1e-2
    difference = (one.added.cpu() - other.added).abs()
    assert difference.quantile(0.99) < 0.5
    assert difference.mean() < 0.05


def test_every_kernel_compiles_for_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the shared memory of desktop cards, and without variables that spill to slow memory."""
    from gpen_live.beauty import triton_draw
    from gpen_live.inference import face_mesh, retouch
    from gpen_live.nets import face_mesh as nets

    calls: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(triton_draw, "launch", lambda kernel, grid, *given, **sizes: calls.append((kernel, given, sizes)))
    monkeypatch.setattr("gpen_live.kernels.graph.check_device", lambda dtype, device: None)
    there = CPU.torch()
    draws = triton_draw.TritonDraws(*face_mesh.shipped_networks(), retouch.shipped_network(), there, torch.float32)
    stand_in: Any = draws
    stand_in._base = lambda picture: (torch.zeros(1, 3 * nets.BASE_POINTS + 1), torch.zeros(1, nets.FEATURES, 48, 48))
    stand_in._parts = lambda crops: (torch.zeros(1, len(nets.PARTS) * nets.PART_WIDTH),)
    stand_in._retouch = lambda seen, before: (before,)
    told, seen = torch.zeros(1, NUMBERS), torch.zeros(1, 3, 256, 256)
    draws.look(seen, told, Rows(1, there))
    draws.draw(seen, Change(torch.zeros_like(seen), torch.zeros(1, 2, 256, 256)), told, Rows(1, there))
    assert len(calls) == 20
    for kernel, given, sizes in calls:
        made = compiled(kernel, given, sizes, 80)
        assert made.metadata.shared <= 99 * 1024, kernel.__name__
        assert stack_bytes(made.asm["cubin"], tmp_path) == 0, kernel.__name__
