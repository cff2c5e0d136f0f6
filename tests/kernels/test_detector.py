"""The face detector's Triton kernels: against PyTorch in Triton's interpreter and on a card, and through Triton's compiler."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from gpen_live.frame import Image
from gpen_live.inference import device as devices
from gpen_live.inference.fast_detector import difference, prove, speed_up
from gpen_live.inference.loading import load_detector
from gpen_live.inference.torch_detector import TorchDetector
from gpen_live.models.registry import get, locate
from gpen_live.nets import lite
from tests.engine.portraits import portrait
from tests.kernels.compiling import compiled, stack_bytes
from tests.nets.graphs import with_random_parameters

if TYPE_CHECKING:
    from gpen_live.kernels.detector import TritonDetector

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
HAS_TRITON = importlib.util.find_spec("triton") is not None
needs_triton = pytest.mark.skipif(not HAS_TRITON, reason="Triton is not installed: there is none for this system")
needs_card = pytest.mark.skipif(
    not (HAS_TRITON and torch.cuda.is_available()), reason="no NVIDIA card: the kernels run in Triton's interpreter alone"
)
needs_compiler = pytest.mark.skipif("TRITON_INTERPRET" in os.environ, reason="Triton's interpreter is on")

Calls = list[tuple[Any, tuple[int, ...], tuple[Any, ...], dict[str, Any]]]


@pytest.fixture(scope="module")
def plain() -> TorchDetector:
    return TorchDetector.load(locate(get("detector"), None), devices.CPU)


def tensor(picture: Image) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()


@pytest.mark.kernels
@needs_triton
def test_the_interpreted_kernels_find_what_pytorch_finds() -> None:
    script = ROOT / "tests" / "kernels" / "detector_interpreted.py"
    done = subprocess.run([sys.executable, str(script)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result[2] for result in results] == [[192, 15], [84, 15]]
    for dtype, shape, reference, best, score, pixels, all_pixels, all_logits, falling in results:
        what = (dtype, shape, score, pixels, all_pixels, all_logits)
        exact = dtype == "torch.float32"
        assert shape == reference, what
        assert best > 0.8, what
        assert falling, what
        assert score < (1e-5 if exact else 3e-3), what
        assert pixels < (1e-3 if exact else 0.1), what
        assert all_pixels < (1e-3 if exact else 0.2), what
        assert all_logits < (1e-3 if exact else 0.03), what


@pytest.fixture
def noted(plain: TorchDetector, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[TritonDetector, Calls]]:
    """Makes detectors that launch nothing, and lists of what they would have launched."""
    detectors = pytest.importorskip("gpen_live.kernels.detector")

    def make(*, early: bool = False) -> tuple[TritonDetector, Calls]:
        calls: Calls = []
        monkeypatch.setattr(detectors, "_check", lambda dtype, device: early)
        monkeypatch.setattr(detectors, "launch", lambda kernel, grid, *given, **sizes: calls.append((kernel, grid, given, sizes)))
        return detectors.TritonDetector(plain.network, torch.float16, CPU, early=early), calls

    return make


@needs_triton
@needs_compiler
def test_two_dozen_kernels_serve_pictures_of_all_sizes(noted: Callable[..., tuple[TritonDetector, Calls]]) -> None:
    detector, calls = noted()
    versions = set()
    for height, width in ((180, 320), (320, 180), (240, 320), (120, 160), (1, 1), (320, 320)):
        calls.clear()
        detector(torch.zeros(1, 3, height, width))
        assert len(calls) <= 24
        assert all(0 not in grid for _, grid, _, _ in calls)
        versions.add(str([(kernel.__name__, sizes) for kernel, _, _, sizes in calls]))
    assert len(versions) == 1  # else a frame of another size would wait for a compilation


@pytest.mark.kernels
@needs_triton
@needs_compiler
@pytest.mark.parametrize(("capability", "shared"), [(86, 99 * 1024), (90, 227 * 1024)])
def test_every_kernel_compiles_for_cards(
    capability: int,
    shared: int,
    noted: Callable[..., tuple[TritonDetector, Calls]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within the shared memory of desktop cards, with the matrix units, and without variables that spill to slow memory."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    early = capability >= 90
    detector, calls = noted(early=early)
    detector(torch.zeros(1, 3, 180, 320))
    seen: set[str] = set()
    for kernel, _, arguments, sizes in calls:
        what = f"{kernel.__name__} {sizes}"
        if what in seen:
            continue
        seen.add(what)
        made = compiled(kernel, arguments, sizes, capability)
        assert made.metadata.shared <= shared, what
        assert kernel.__name__ == "choose" or re.search("wgmma|mma.sync", made.asm["ptx"]), what
        assert ("griddepcontrol.wait" in made.asm["ptx"]) == early, what
        assert stack_bytes(made.asm["cubin"], tmp_path) == 0, what
    assert len(seen) > 15


@needs_triton
@needs_compiler
def test_pictures_that_do_not_fit_are_refused(noted: Callable[..., tuple[TritonDetector, Calls]]) -> None:
    detector, calls = noted()
    good = torch.zeros(1, 3, 32, 32)
    for bad in (good[0], good[:, :2], good.repeat(2, 1, 1, 1), good[..., :0], good.to("meta")):
        with pytest.raises(RuntimeError, match="the detector's picture must be"):
            detector(bad)
    assert calls == []


@needs_triton
@needs_compiler
def test_what_can_not_run_it_is_refused(plain: TorchDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpen_live.kernels.detector import TritonDetector

    with pytest.raises(RuntimeError, match="need a graphics card"):
        TritonDetector(plain.network, torch.float16, CPU)
    with pytest.raises(RuntimeError, match="in bfloat16"):
        TritonDetector(plain.network, torch.bfloat16, CPU)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(RuntimeError, match="too old"):
        TritonDetector(plain.network, torch.float16, torch.device("cuda"))
    monkeypatch.setattr("gpen_live.kernels.detector._check", lambda dtype, device: False)
    with pytest.raises(RuntimeError, match="this is no RetinaFace"):
        TritonDetector(with_random_parameters(lite.graph(lite.LITE_256)), torch.float16, CPU)


def test_another_way_to_the_candidates_takes_over() -> None:
    detector = TorchDetector.load(locate(get("detector")), devices.CPU)
    shifted = torch.tensor([0.0, *[3.0, 5.0] * 7])
    frame = portrait(180, 320)
    (before,) = detector.detect(frame)
    detector.use(lambda reduced: detector.plain_candidates(reduced) + shifted)
    (after,) = detector.detect(frame)
    np.testing.assert_allclose(after.landmarks - before.landmarks, np.tile([3.0, 5.0], (5, 1)), atol=1e-3)


def test_only_the_same_candidates_are_proof(plain: TorchDetector) -> None:
    def altered(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda reduced: change(plain.plain_candidates(reduced).clone())

    prove(altered(lambda found: found.flip(0)), plain)  # an order that scores do not settle is no difference
    prove(altered(lambda found: found + 1e-6), plain)
    wrong: list[Callable[[torch.Tensor], torch.Tensor]] = [
        altered(lambda found: found + torch.tensor([0.0, *[2.0] * 14])),
        altered(lambda found: found * torch.tensor([1.3, *[1.0] * 14])),
        altered(lambda found: found * torch.nan),
        altered(lambda found: found[:-1]),
        lambda reduced: plain.plain_candidates(reduced.flip(1)),
        lambda reduced: plain.plain_candidates(reduced - 4),
    ]
    for search in wrong:
        with pytest.raises(RuntimeError, match="the candidates differ"):
            prove(search, plain)


def test_what_fails_leaves_pytorch_in_place(caplog: pytest.LogCaptureFixture) -> None:
    detector = TorchDetector.load(locate(get("detector"), None), devices.CPU)
    (before,) = detector.detect(portrait(180, 320))
    detector.device = devices.Device("mps")  # has no faster way
    assert not speed_up(detector)
    assert not caplog.records
    if HAS_TRITON:
        detector.device = devices.Device("cuda", 99)  # which is not there
        with caplog.at_level(logging.WARNING):
            assert not speed_up(detector)
        assert "PyTorch finds the faces" in caplog.text
    detector.device = devices.CPU
    (after,) = detector.detect(portrait(180, 320))
    np.testing.assert_array_equal(before.landmarks, after.landmarks)


@needs_card
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(("height", "width"), [(180, 320), (320, 180), (240, 320), (120, 160), (31, 33)])
@torch.inference_mode()
def test_on_a_card_it_finds_the_same_and_can_be_captured(plain: TorchDetector, height: int, width: int, early: bool) -> None:
    from gpen_live.kernels.detector import TritonDetector

    picture = tensor(portrait(height, width))
    reference = plain.plain_candidates(picture)
    card = torch.device("cuda", 0)
    fast = TritonDetector(plain.network, torch.float16, card, early=early)
    on_card = picture.to(card)
    found = fast(on_card)
    pixels, logits = difference(found.cpu(), reference)
    assert pixels < 0.5
    assert logits < 0.05
    assert torch.equal(found, fast(on_card))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = fast(on_card)
    captured.fill_(torch.nan)
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(captured, found)


@needs_card
def test_on_a_card_the_shipped_detector_takes_the_fast_way(plain: TorchDetector) -> None:
    from gpen_live.kernels.detector import TritonDetector

    detector = load_detector(devices.Device("cuda"))
    assert isinstance(detector, TorchDetector)
    assert isinstance(detector._fast, TritonDetector)
    frame = portrait(720, 1280)
    (fast,), (slow,) = detector.detect(frame), plain.detect(frame)
    np.testing.assert_allclose(fast.landmarks, slow.landmarks, atol=0.4)
