"""Landmarks over time: they rest with a still face and keep up with a fast one."""

from __future__ import annotations

import math

import numpy as np

from gpen_live.faces.align import Points

LONGEST_S = 0.25
"""After a longer gap (a pause, a suspended machine, many dropped frames) what was before is no help any more."""


def face_size(landmarks: Points) -> float:
    """Root-mean-square distance of the landmarks from their centre, times two: about the distance between eyes and mouth."""
    apart = landmarks - landmarks.mean(axis=0)
    return 2.0 * math.sqrt(float(np.vdot(apart, apart)) / len(landmarks))


class LandmarkFilter:
    """A One-Euro filter over all five landmarks at once.

    Casiez, Roussel and Vogel, "1 Euro Filter", CHI 2012, with two changes: the cut-off is shared by all landmarks, so that the
    face keeps its shape, and speed is measured in face sizes per second, so that near and far faces behave alike. The speed of
    the centre and of each landmark's own motion both count: a turning head is as fast as a moving one.

    Args:
        min_cutoff: cut-off of a still face in Hz; lower rests more. beta: gain of the cut-off in Hz per (face size / s).
        speed_cutoff: cut-off of the speed estimate in Hz.
    """

    def __init__(self, *, min_cutoff: float = 0.8, beta: float = 14.0, speed_cutoff: float = 2.0) -> None:
        self._min_cutoff, self._beta, self._speed_cutoff = min_cutoff, beta, speed_cutoff
        self._value: Points | None = None
        self._measured: Points | None = None
        self._velocity: Points = np.zeros((5, 2))
        self._at = 0.0

    def __call__(self, landmarks: Points, at: float) -> Points:
        """The smoothed landmarks for a measurement at `at` seconds."""
        step = at - self._at
        if self._value is None or self._measured is None or not 0 < step <= LONGEST_S:
            self._value = self._measured = np.array(landmarks, dtype=np.float64)
            self._velocity = np.zeros((5, 2))
            self._at = at
            return self._value
        velocity = (landmarks - self._measured) / step
        self._velocity = self._velocity + _gain(self._speed_cutoff, step) * (velocity - self._velocity)
        speed = math.sqrt(float(np.vdot(self._velocity, self._velocity)) / 5) / max(face_size(landmarks), 1e-6)
        gain = _gain(self._min_cutoff + self._beta * speed, step)
        self._value = self._value + gain * (landmarks - self._value)
        self._measured, self._at = np.array(landmarks, dtype=np.float64), at
        return self._value


def _gain(cutoff: float, step: float) -> float:
    """Gain of a first-order low-pass with `cutoff` Hz for a step of `step` seconds."""
    return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff * step))
