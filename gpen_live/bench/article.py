"""What the article measured that this project answers: GPEN, frame by frame, on an NVIDIA A10G."""

from __future__ import annotations

from typing import Final

DEVICE: Final = "article, A10G"

FRAME_MS: Final = {"gpen-256": 48.3, "gpen-512": 136.5, "gpen-1024": 421.8, "gpen-2048": 1000.0}
"""A whole frame: detection, preparation, network and fusion. 2048 took more than that."""

AT_LEAST: Final = frozenset({"gpen-2048"})
"""Where the article says no more than "over"."""

STAGES_MODEL: Final = "gpen-512"
STAGES_MS: Final = {"detect": 28.4, "warp": 15.2, "network": 82.1, "blend": 10.8}
"""GPEN-512 by our names of the stages: detection and alignment; tiling and preparation; generator; fusion."""

ROI_MS: Final = 65.0
"""GPEN-512 once only the region of the face went through it."""

PIPELINED_GAIN_PERCENT: Final = (30, 50)
GPU_MB: Final = 6800.0
RAM_MB: Final = 4200.0
LOAD_S: Final = 3.2

LIMITS_MS: Final = {"fluent": 100, "acceptable": 200, "stuttering": 300}
"""The article's grades of an end-to-end latency, each up to so much; beyond the last: unusable. As `live.status.grade`."""


def frame_text(model: str) -> str:
    """The article's milliseconds for a whole frame; empty for networks that it didn't measure."""
    if model not in FRAME_MS:
        return ""
    return f"over {FRAME_MS[model]:.0f}" if model in AT_LEAST else f"{FRAME_MS[model]:.1f}"
