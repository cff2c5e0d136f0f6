"""Another program that holds vivid, streaming, until it is terminated. `holder DEVICE`."""

from __future__ import annotations

import sys

import cv2


def main() -> int:
    capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_V4L2)
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"YUYV"))
    while capture.isOpened():
        print(capture.read()[0], flush=True)
    return 3


if __name__ == "__main__":
    sys.exit(main())
