"""The detector's network as we define it against facexlib's own, and its file with normalisations folded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gpen_live.models.files import read_arrays
from gpen_live.models.registry import get, locate
from gpen_live.nets import retinaface
from gpen_live.nets.torch_graph import TorchGraph, tensors
from gpen_live.training.facexlib_network import build_network


@torch.inference_mode()
def test_it_finds_what_facexlib_finds() -> None:
    state, _ = read_arrays(locate(get("detector")))
    original = build_network(torch.device("cpu"))
    original.load_state_dict(tensors(state))
    original.phase = "train"  # type: ignore[assignment]  # facexlib's switch: logits
    ours = TorchGraph.of(retinaface.fold(state))
    picture = torch.rand(2, 3, 96, 160, generator=torch.Generator().manual_seed(0)) * 255
    mean = torch.tensor(retinaface.MEAN_BGR).view(1, 3, 1, 1)
    for found, wanted in zip(ours.run(picture), original.eval()(picture - mean), strict=True):
        assert found.shape == wanted.shape
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("fpn.merge1.0.weight", None, r"fpn\.merge1\.0\.weight is missing"),
        ("fpn.merge1.1.running_var", None, r"fpn\.merge1\.0\.bias is missing"),
        ("fpn.merge1.1.weight", np.ones(3, np.float32), "other shapes"),
        ("fpn.merge3.0.weight", np.ones(3, np.float32), r"fpn\.merge3\.0\.weight is left over"),
    ],
)
def test_another_network_is_refused(name: str, value: np.ndarray[tuple[int], np.dtype[np.float32]] | None, words: str) -> None:
    state, _ = read_arrays(locate(get("detector")))
    state = {key: values for key, values in state.items() if key != name} if value is None else state | {name: value}
    with pytest.raises(ValueError, match=words):
        retinaface.fold(state)
