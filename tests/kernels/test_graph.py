"""Any graph on Triton's kernels: against PyTorch in Triton's interpreter, through its compiler, and what becomes one kernel."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from gpen_live.nets import layers, retinaface
from gpen_live.nets.layers import Graph
from tests.kernels.compiling import compiled, stack_bytes
from tests.nets.graphs import SHAPES, pictures, with_random_parameters

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed: there is none for this system"
)
needs_compiler = pytest.mark.skipif("TRITON_INTERPRET" in os.environ, reason="Triton's interpreter is on")
Calls = list[tuple[Any, tuple[Any, ...], dict[str, Any]]]


@pytest.mark.kernels
@needs_triton
def test_the_interpreted_kernels_give_what_pytorch_gives() -> None:
    script = ROOT / "tests" / "kernels" / "graph_interpreted.py"
    done = subprocess.run([sys.executable, str(script)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    results = [json.loads(each) for each in done.stdout.splitlines()]
    assert len(results) == 4 * 2 * 2 + 6 * 2 + 1 + 3
    for name, dtype, shape, wanted, apart, out_dtype in results:
        what = (name, dtype, shape, apart)
        assert shape == wanted, what
        assert out_dtype == "torch.float32", what
        assert apart < (1e-5 if dtype == "torch.float32" else 5e-3), what


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Graphs of the test launch nothing; what they would have launched is in here."""
    calls: Calls = []
    monkeypatch.setattr(
        "gpen_live.kernels.graph.launch", lambda kernel, grid, *given, **sizes: calls.append((kernel, given, sizes))
    )
    monkeypatch.setattr("gpen_live.kernels.graph.check_device", lambda dtype, device: None)
    return calls


def run(graph: Graph, shape: tuple[int, int, int]) -> None:
    from gpen_live.kernels.graph import TritonGraph

    inputs = [torch.from_numpy(each) for each in pictures(graph, shape)]
    TritonGraph(with_random_parameters(graph), torch.float16, CPU)(*inputs)


@needs_triton
def test_what_follows_a_convolution_is_done_by_its_kernel(launches: Calls) -> None:
    x = layers.picture("x", 3)
    first = layers.relu(layers.convolution("first", x, 16, kernel=3, padding=1))
    second = layers.prelu("slopes", layers.add(first, layers.convolution("second", first, 16)))
    third = layers.add(layers.sigmoid(layers.convolution("third", second, 16)), second)
    run(Graph("row", (x,), (third,)), (1, 8, 8))
    assert [kernel.__name__ for kernel, _, _ in launches] == ["move", "convolve", "convolve", "convolve", "move"]
    ends = [{key for key in ("SLOPED", "SIGMOID", "ADD", "LATE") if sizes[key]} for _, _, sizes in launches]
    assert ends == [set(), {"SLOPED"}, {"SLOPED", "ADD"}, {"SIGMOID", "ADD", "LATE"}, set()]


@needs_triton
def test_what_two_layers_read_is_written_once(launches: Calls) -> None:
    x = layers.picture("x", 3)
    y = layers.convolution("y", x, 16)
    run(Graph("two", (x,), (layers.relu(y), layers.sigmoid(y), y)), (1, 8, 8))
    assert [kernel.__name__ for kernel, _, _ in launches] == ["move", "convolve", "move", "move", "move"]


@needs_triton
def test_a_block_with_its_shortcut_is_one_launch(launches: Calls) -> None:
    graph, shape = SHAPES["parts"][0](), SHAPES["parts"][1]
    run(graph, shape)
    assert [kernel.__name__ for kernel, _, _ in launches] == [
        *("move", "convolve", "pair", "pair", "pair", "depthwise", "convolve", "move"),
    ]
    assert [sizes["POOLED"] for kernel, _, sizes in launches if kernel.__name__ == "pair"] == [True, True, False]


@needs_triton
def test_the_detector_is_a_few_dozen_launches(launches: Calls) -> None:
    run(retinaface.graph(), (1, 64, 96))
    kinds = [kernel.__name__ for kernel, _, _ in launches]
    assert kinds.count("convolve") + 2 * kinds.count("pair") == len(retinaface.graph().convolutions)
    assert kinds.count("move") <= 45


@pytest.mark.kernels
@needs_triton
@needs_compiler
@pytest.mark.parametrize(("capability", "shared"), [(80, 99 * 1024), (90, 227 * 1024)])
def test_every_kernel_compiles_for_cards(
    capability: int, shared: int, launches: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the shared memory of desktop cards, with the matrix units, and without variables that spill to slow memory."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    for make, _ in SHAPES.values():
        graph = make()
        run(graph, {"heads": (1, 8, 16), "parts": (1, 8, 8)}.get(graph.name, (1, 96, 96)))
    seen: set[str] = set()
    for kernel, given, sizes in launches:
        what = f"{kernel.__name__} {sizes}"
        kind = (kernel.__name__, *(sizes.get(key) for key in ("SLOPED", "SIGMOID", "ADD", "LATE", "MODE", "KERNEL", "POOLED")))
        if str(kind) in seen:
            continue
        seen.add(str(kind))
        made = compiled(kernel, given, sizes, capability)
        assert made.metadata.shared <= shared, what
        assert kernel.__name__ not in ("convolve", "pair") or "mma" in made.asm["ptx"], what
        assert stack_bytes(made.asm["cubin"], tmp_path) == 0, what
    assert {kernel.__name__ for kernel, _, _ in launches} == {"convolve", "depthwise", "pair", "pool", "mean", "move"}
