"""Our own virtual camera in another process, sending numbered pictures until it is killed. `sender SPEC WIDTHxHEIGHT`."""

from __future__ import annotations

import itertools
import sys
import time

from gpen_live.frame import Size
from gpen_live.media.pixel_formats import convert
from gpen_live.sinks import open_sink
from tests.real_camera.guest.numbered import picture


def main() -> None:
    spec, sides = sys.argv[1:]
    width, height = map(int, sides.split("x"))
    size = Size(width, height)
    sink = open_sink(spec, size=size, fps=10)
    for number in itertools.count():
        sink.send(convert(picture(number, size), sink.wants), number / 10)
        print(number, flush=True)
        time.sleep(0.1)


if __name__ == "__main__":
    main()
