"""How the charts of this project look. matplotlib is imported when the first one is drawn."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final, Literal

from gpen_live.errors import GpenLiveError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#1f2933"
FAINT: Final = "#66727f"
GRID: Final = "#dde3e9"
DARK: Final = "#1769aa"
LIGHT: Final = "#8fb8de"
WRONG: Final = "#b0413e"
SMALL: Final = 9.5
NORMAL: Final = 11.0
"""Sizes of type, in points."""

_DPI: Final = 100


def new_figure(width: float, height: float, title: str, subtitle: str, head: float) -> Figure:
    """An empty chart of so many inches, with its title above; `head` inches at the top are kept free of panels.

    Raises:
        GpenLiveError: the library that draws is missing.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise GpenLiveError("chart.library", reason=error) from error
    room = ConstrainedLayoutEngine(w_pad=0.25, h_pad=0.15, rect=(0, 0, 1, 1 - head / height))
    figure = Figure(figsize=(width, height), facecolor="white", layout=room)
    figure.text(0.015, 1 - 0.32 / height, title, size=18, weight="bold", color=INK, va="center")
    figure.text(0.015, 1 - 0.64 / height, subtitle, size=NORMAL, color=FAINT, va="center")
    return figure


def bare(axes: Axes, grid: Literal["x", "y"]) -> None:
    """Takes away what a reader does not need; leaves faint lines across one axis."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(length=0, colors=FAINT, labelsize=SMALL)
    axes.grid(axis=grid, color=GRID, lw=0.8)
    axes.set_axisbelow(True)


def as_png(figure: Figure) -> bytes:
    """The chart as a PNG."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=_DPI)
    return out.getvalue()
