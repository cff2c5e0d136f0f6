"""Draws the pictures of docs/architecture.md: the path of a frame, and the packages in layers.

    python3 packaging/drawings.py

Text stands on filled boxes or in a grey that can be read on white and on black, as the pictures' background is transparent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"

SLATE, ACCENT, GREEN, GREY = "#2f3a4f", "#4453d6", "#12805a", "#737c8e"
WIDTH = 1000

Row = tuple[str, Sequence[tuple[str, str, int]]]

PACKAGES: tuple[Row, ...] = (
    (SLATE, [("cli", "command line", 890)]),
    (
        SLATE,
        [
            ("ui", "the window; Qt only here", 196),
            ("bench", "speed", 112),
            ("soak", "hours of faults", 132),
            ("quality", "image quality", 132),
            ("training", "our networks", 132),
            ("doctor", "checks the machine", 146),
        ],
    ),
    (
        SLATE,
        [
            ("settings", "what is remembered", 204),
            ("export", "photos, films", 204),
            ("charts", "how they look", 204),
            ("facedata", "photos, degradations", 222),
        ],
    ),
    (ACCENT, [("live", "pipeline, outputs, pacing, latency budget, status, loading models", 890)]),
    (ACCENT, [("beauty", "what is drawn on a face after the network: host, PyTorch, CUDA", 890)]),
    (ACCENT, [("engine", "a frame on a device: host, PyTorch, CUDA", 646), ("options", "of the command line", 228)]),
    (
        ACCENT,
        [
            ("inference", "how a network runs: OpenVINO, PyTorch; autotuning", 646),
            ("sources", "where frames come from", 228),
        ],
    ),
    (
        ACCENT,
        [
            ("models", "registry, download, architectures", 366),
            ("kernels", "networks on cards: Triton", 264),
            ("sinks", "where frames go", 228),
        ],
    ),
    (
        GREEN,
        [
            ("faces", "detect, align, track, state", 256),
            ("media", "films, pixel formats", 214),
            ("presets", "looks as files", 196),
            ("privacy", "clean logs", 188),
        ],
    ),
    (
        GREEN,
        [
            ("nets", "networks as graphs of layers", 366),
            ("look", "how a face is to look", 264),
            ("system", "files, memory, v4l2", 228),
        ],
    ),
    (GREEN, [("frame", "a picture and its times", 437), ("errors", "what may be raised", 437)]),
    (GREEN, [("messages", "all that the app says: ids, parameters, and the sentences for them", 890)]),
)
"""From the top down: the colour of a row, and its packages with what they are for and their widths in pixels."""

STAGES = (
    ("detect", ("find and", "track faces"), 80),
    ("warp", ("cut out", "each face"), 72),
    ("network", ("enhance", "the crop"), 84),
    ("blend", ("add the", "change"), 64),
    ("convert", ("to NV12,", "I420, BGR"), 76),
)


def box(x: float, y: float, width: float, height: float, title: str, lines: Sequence[str], fill: str) -> Iterator[str]:
    """A filled box with a title and lines below it."""
    yield f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="10" fill="{fill}"/>'
    top, middle = y + height / 2 - 9 * len(lines) + 5, x + width / 2
    yield f'<text x="{middle:g}" y="{top:g}" class="t">{title}</text>'
    for place, line in enumerate(lines, 1):
        yield f'<text x="{middle:g}" y="{top + 18 * place:g}" class="s">{line}</text>'


def arrow(x0: float, y0: float, x1: float, y1: float) -> str:
    """A line with a head at its end."""
    return f'<path d="M{x0:g} {y0:g}L{x1:g} {y1:g}" class="l" marker-end="url(#a)"/>'


def caption(x: float, y: float, text: str, anchor: str = "middle") -> str:
    """Grey text outside a box."""
    return f'<text x="{x:g}" y="{y:g}" class="c" text-anchor="{anchor}">{text}</text>'


def page(height: float, title: str, description: str, body: Sequence[str]) -> str:
    """The whole picture, WIDTH pixels wide."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" '
        'role="img" aria-labelledby="title description">',
        f'  <title id="title">{title}</title>',
        f'  <desc id="description">{description}</desc>',
        "  <style>",
        '    text { font-family: system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }',
        "    .t { font-size: 15px; font-weight: 600; fill: #fff; text-anchor: middle; }",
        "    .s { font-size: 12.5px; fill: #e4e8f2; text-anchor: middle; }",
        f"    .c {{ font-size: 12.5px; fill: {GREY}; }}",
        f"    .l {{ stroke: {GREY}; stroke-width: 2; fill: none; }}",
        f"    .lane {{ fill: none; stroke: {GREY}; stroke-width: 1.5; stroke-dasharray: 5 5; }}",
        "  </style>",
        '  <defs><marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="5" markerHeight="5" orient="auto">'
        f'<path d="M0 0L10 5L0 10z" fill="{GREY}"/></marker></defs>',
        *(f"  {line}" for line in body),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def frame_path() -> str:
    """The way from the source to the sinks."""
    top, height = 92, 96
    middle = top + height / 2
    body = [
        caption(64, 80, "capture thread"),
        caption(476, 40, "engine thread: the only one that uses the device"),
        caption(786, 80, "a sender per output"),
        f'<rect x="236" y="52" width="480" height="{height + 76}" rx="14" class="lane"/>',
        *box(8, top, 112, height, "source", ("camera", "video file", "demo"), SLATE),
        arrow(120, middle, 146, middle),
        *box(148, top + 22, 62, height - 44, "slot", (), GREEN),
        caption(179, top + height - 2, "newest"),
        caption(179, top + height + 14, "wins"),
        arrow(210, middle, 250, middle),
    ]
    x = 250.0
    for name, lines, width in STAGES:
        body += box(x, top, width, height, name, lines, ACCENT)
        x += width
        body.append(arrow(x, middle, x + 18 if name != STAGES[-1][0] else 728, middle))
        x += 20
    below = x - 20 - STAGES[-1][2] / 2
    body += [
        *box(730, top, 112, height, "sender", ("ticks at the", "output's rate"), SLATE),
        arrow(842, middle, 870, middle),
        *box(872, top, 120, height, "sinks", ("virtual camera", "recording", "none"), SLATE),
        arrow(below, top + height, below, 262),
        *box(below - 106, 264, 212, 52, "preview and meters", ("never hold up a frame",), SLATE),
        caption(252, 212, "any failure: the raw frame goes out", "start"),
        caption(8, 284, "Every frame keeps its number and its times", "start"),
        caption(8, 302, "from capture to sink. Every queue is bounded.", "start"),
    ]
    described = (
        "Source, newest-wins slot, engine thread (detect, warp, network, blend, convert), senders, sinks; preview and meters."
    )
    return page(330, "The path of a frame", described, body)


def packages() -> str:
    """The packages in layers."""
    left, room, height, gap = 84, 890, 52, 16
    body: list[str] = []
    y = 14.0
    for colour, cells in PACKAGES:
        space = (room - sum(width for *_, width in cells)) / max(1, len(cells) - 1)
        x = float(left)
        for name, what, width in cells:
            body += box(round(x), y, width, height, name, (what,), colour)
            x += width + space
        y += height + gap
    body.append(arrow(40, 22, 40, y - 24))
    turned = f'<text class="c" transform="translate(28 {y / 2:g}) rotate(-90)" text-anchor="middle">imports point down</text>'
    return page(y, "The packages of gpen_live", "Packages and modules in layers; imports point down only.", [*body, turned])


DRAWINGS = {"frame-path.svg": frame_path, "packages.svg": packages}

if __name__ == "__main__":
    for name, draw in DRAWINGS.items():
        (DOCS / name).write_text(draw(), encoding="utf-8", newline="\n")
