"""The virtual camera's process: takes the numbers of places in shared memory, and hands the frames there to the driver.

Started by `sink`, as `python -m gpen_live.sinks.vcam.process`. First comes a line of JSON (`Order`); it is answered with the
camera's label. Then each line is the number of a place, answered once the driver has taken its frame. An answer with an error is
the last one. The process ends when its input does, be it because the app was killed.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import BinaryIO

from gpen_live.errors import SinkError
from gpen_live.messages import pack
from gpen_live.sinks.vcam.devices import Device, Wish, open_device
from gpen_live.system import shared_memory

_GRACE_S = 1.0
TAKEN = b"{}\n"


@dataclass(frozen=True)
class Order:
    """What the process is to do: open `wish`; the frames lie in the memory of `handle`, `places` of them."""

    wish: Wish
    handle: str
    places: int

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def read(line: bytes) -> Order:
        words = json.loads(line)
        return Order(Wish(**words["wish"]), words["handle"], words["places"])


def main() -> None:
    """The whole life of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the app's
    orders = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a library's own words are no answers
    threading.Thread(target=_end_with_the_app, daemon=True).start()
    with suppress(BrokenPipeError):
        serve(orders, answers)


def serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """Carries out the orders to their end."""
    order = Order.read(orders.readline())
    size = order.wish.width * order.wish.height * 3 // 2
    memory = memoryview(shared_memory.attach(order.handle, size * order.places))
    frames = [memory[place * size : (place + 1) * size] for place in range(order.places)]
    device: Device | None = None
    try:
        device = open_device(order.wish)
        answers.write(json.dumps({"label": device.label}).encode() + b"\n")
        while line := orders.readline():
            device.send(frames[int(line)])
            answers.write(TAKEN)
    except SinkError as error:
        answers.write(json.dumps({"error": pack(error.message)}).encode() + b"\n")
    finally:
        if device is not None:
            device.close()


def _end_with_the_app() -> None:
    """In a thread: ends this process soon after the app has closed its end, or has ended, even while the driver holds a frame."""
    if not hasattr(select, "poll"):  # Windows; see `devices._limited`
        return
    hang_up = select.poll()
    hang_up.register(0, 0)
    hang_up.poll()
    time.sleep(_GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main()
