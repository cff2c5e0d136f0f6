"""Makes small films for tests."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from gpen_live.frame import Image, Size

SIZE = Size(64, 48)


def grey_level(n: int) -> int:
    """The grey of frame n: far enough from its neighbours to survive encoding."""
    return 20 + n * 12 % 220


def number_of(image: Image) -> int:
    """The number of a frame by its grey (films of up to 18 frames)."""
    return round((float(image.mean()) - 20) / 12)


def film(path: Path, frames: int = 10, size: Size = SIZE, times: Sequence[float] | None = None, fps: int = 10) -> Path:
    """Writes a film of grey frames (see `grey_level`) at `fps`, or at `times` in seconds, in the format that its name says."""
    codec, layout = {".gif": ("gif", "gray"), ".webm": ("libvpx", "yuv420p"), ".avi": ("mjpeg", "yuvj420p")}.get(
        path.suffix, ("libx264", "yuv420p")
    )
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = size.width, size.height, layout
        stream.codec_context.gop_size = 4
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "tune": "zerolatency"}
        if frames == 0:
            container.start_encoding()
        base = Fraction(1, 1000)
        if path.suffix not in (".avi", ".gif"):  # containers with a time base of their own
            stream.codec_context.time_base = base
        for n in range(frames):
            image = np.full((size.height, size.width, 3), grey_level(n), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=layout)
            frame.time_base = base
            frame.pts = round(1000 * (times[n] if times else n / fps))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def rotate(path: Path, degrees: int) -> None:
    """Sets the display matrix of an MP4's (only) track header: shown turned clockwise by `degrees`, as phones record."""
    one, minus = (0x00010000).to_bytes(4, "big"), (0xFFFF0000).to_bytes(4, "big")
    nil, unit = bytes(4), (0x40000000).to_bytes(4, "big")
    a, b, c, d = {90: (nil, one, minus, nil), 180: (minus, nil, nil, minus), 270: (nil, minus, one, nil)}[degrees]
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd") + 4
    matrix = header + (52 if data[header] == 1 else 40)
    data[matrix : matrix + 36] = a + b + nil + c + d + nil + nil + nil + unit
    path.write_bytes(data)
