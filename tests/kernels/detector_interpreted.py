"""Runs the face detector in Triton's interpreter, which must be on before Triton is imported: a process of its own.

Prints a line of JSON per picture: arithmetic, shapes of both ways' candidates, the best score, by how much the candidates with a
score above 0.05 (in score, in pixels) and the surer half of all (in pixels, in logits) differ from PyTorch's in float32, and
whether they come by falling score.
"""

from __future__ import annotations

import json
import os

os.environ["TRITON_INTERPRET"] = "1"

import cv2
import numpy as np
import torch
from skimage import data

from gpen_live.inference import device as devices
from gpen_live.inference.fast_detector import difference
from gpen_live.inference.torch_detector import TorchDetector
from gpen_live.kernels.detector import TritonDetector
from gpen_live.models.registry import get, locate

CPU = torch.device("cpu")
CASES = ((torch.float32, 57, 90), (torch.float16, 33, 31))
"""Arithmetic, height, width. Few and small: the interpreter takes its time."""


@torch.inference_mode()
def main() -> None:
    torch.use_deterministic_algorithms(True)  # fills new tensors with NaN: what is read before it is written shows
    detector = TorchDetector.load(locate(get("detector"), None), devices.CPU)
    portrait = np.ascontiguousarray(data.astronaut()[:200, 120:320, ::-1])
    for dtype, height, width in CASES:
        small = cv2.resize(portrait, (width, height), interpolation=cv2.INTER_AREA)
        picture = torch.from_numpy(small).permute(2, 0, 1)[None]
        found, reference = TritonDetector(detector.network, dtype, CPU)(picture), detector.plain_candidates(picture)
        sure = reference[:, 0] > 0.05
        faces = [float((found - reference)[sure, columns].abs().max()) for columns in (slice(0, 1), slice(1, 15))]
        falling = bool((found[:-1, 0] >= found[1:, 0]).all())
        shapes = (list(found.shape), list(reference.shape))
        best = float(reference[0, 0])
        print(json.dumps([str(dtype), *shapes, best, *faces, *difference(found, reference), falling]), flush=True)


if __name__ == "__main__":
    main()
