"""The overlay for viewers: latency and frame rate drawn into the outgoing frame, when the user asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gpen_live.frame import Image, in_order
from gpen_live.live.pacing.clock import now
from gpen_live.live.status.snapshot import Snapshot, busy_name, grade

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

_REFRESH_S = 0.5
_NOT_SHOWN = ("capture", "end_to_end")
_STAGES_A_LINE = 3


class Overlay:
    """Draws a small panel into the top left corner; the panel is rendered twice a second, a frame costs one small blend.

    Args:
        snapshot: the state to show.
    """

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._rendered_at = -np.inf
        self._height = 0
        self._colour: npt.NDArray[np.uint16] | None = None
        self._cover: npt.NDArray[np.uint16] | None = None

    def __call__(self, image: Image) -> Image:
        """A copy of `image` with the panel on it."""
        if now() - self._rendered_at > _REFRESH_S or self._height != image.shape[0]:
            self._render(image.shape[0])
        assert self._colour is not None
        assert self._cover is not None
        height, width = min(self._colour.shape[0], image.shape[0]), min(self._colour.shape[1], image.shape[1])
        out = image.copy()
        cover = self._cover[:height, :width]
        patch = out[:height, :width] * (255 - cover) + self._colour[:height, :width] * cover
        out[:height, :width] = ((patch + 127) // 255).astype(np.uint8)
        return out

    def _render(self, frame_height: int) -> None:
        from PIL import Image as Pictures
        from PIL import ImageDraw, ImageFont

        size = max(11, frame_height // 40)
        font = ImageFont.load_default(size)
        lines = overlay_lines(self._snapshot())
        pad = size // 2
        width = int(max(_length(font, line) for line in lines)) + 4 * pad
        height = len(lines) * int(size * 1.35) + 4 * pad
        panel = Pictures.new("RGBA", (width, height), (0, 0, 0, 0))
        draw = ImageDraw.Draw(panel)
        draw.rounded_rectangle((pad, pad, width - 1, height - 1), radius=pad, fill=(12, 14, 18, 176))
        for i, line in enumerate(lines):
            draw.text((2 * pad, 1.6 * pad + i * size * 1.35), line, font=font, fill=(240, 243, 247, 255))
        pixels = np.asarray(panel).astype(np.uint16)
        self._colour, self._cover = pixels[:, :, 2::-1], pixels[:, :, 3:]
        self._rendered_at, self._height = now(), frame_height


def overlay_lines(snapshot: Snapshot) -> list[str]:
    """The overlay's text: end-to-end latency with its grade, frame rate, network, then the stages."""
    total = snapshot.stages.get("end_to_end")
    lines = []
    if total is not None:
        lines.append(f"end to end {total.p50:.0f} ms, p95 {total.p95:.0f} ms: {grade(total.p50)}")
    lines.append(f"{snapshot.rates.output:.1f} fps out, {snapshot.rates.enhance:.1f} enhanced")
    stages = [f"{name} {snapshot.stages[name].p50:.1f}" for name in in_order(snapshot.stages) if name not in _NOT_SHOWN]
    lines += [", ".join(stages[i : i + _STAGES_A_LINE]) for i in range(0, len(stages), _STAGES_A_LINE)]
    if snapshot.busy > 0:
        lines.append(f"{busy_name(snapshot.device)} busy {snapshot.busy:.0%}")
    seen = "whole frame" if snapshot.faces is None else f"{snapshot.faces} face{'' if snapshot.faces == 1 else 's'}"
    network = f"{snapshot.model_name} {snapshot.precision}, {seen}"
    lines.append(network if snapshot.raw_reason is None else snapshot.raw_reason.what)
    lines += [given_up.what for given_up in snapshot.quality.given_up]
    return [line for line in lines if line]


def _length(font: FreeTypeFont | ImageFont, line: str) -> float:
    return float(font.getlength(line))
