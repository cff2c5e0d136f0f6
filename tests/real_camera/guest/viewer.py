"""Another program: looks at a camera, as OBS or a browser would, and prints what it sees, one line of JSON a picture.

A picture that it was too slow to take is left out: drivers write over those after some periods, and here all senders take their
time for the sake of machines with much else to do.

`viewer DEVICE COUNT [PAUSE]`; PAUSE are seconds between two pictures. A camera in use ends it with code 3.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time

import cv2
import numpy as np

from tests.real_camera.guest.numbered import look

_PERIOD_S = 0.2  # one period of the senders here


def main() -> int:
    device, count, *pause = sys.argv[1:]
    capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
    if not capture.isOpened():
        return 3
    left = int(count)
    while left:
        if not capture.grab():
            continue
        grabbed = time.monotonic()
        image = capture.retrieve()[1]
        if time.monotonic() - grabbed > _PERIOD_S:
            continue
        height, width = image.shape[:2]
        print(json.dumps({**dataclasses.asdict(look(np.asarray(image, np.uint8))), "size": [width, height]}), flush=True)
        left -= 1
        time.sleep(float(pause[0]) if pause else 0.0)
    capture.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
