"""Blur kernels: what a lens out of focus, a moving hand and a scaler make of a point."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt

from gpen_live.facedata import basicsr_compat


def blur_kernels(count: int = 2048, *, size: int = 25, seed: int = 0) -> npt.NDArray[np.float32]:
    """A bank of blur kernels: basicsr's Gaussians (round, stretched, generalised, plateau), discs, and motion lines.

    Returns:
        count x size x size, each of sum 1, sorted from sharp to soft by the spread of its energy.
    """
    basicsr_compat.prepare()
    from basicsr.data.degradations import random_mixed_kernels

    state = np.random.default_rng(seed)
    kept, kept_numpy = random.getstate(), np.random.get_state()
    random.seed(seed)  # basicsr draws from both global states
    np.random.seed(seed)
    names = ["iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso"]
    shares = [0.45, 0.25, 0.1, 0.05, 0.1, 0.05]
    bank = []
    try:
        for index in range(count):
            kind = state.random()
            reach = 0.15 + 2.6 * (index + 0.5) / count
            if kind < 0.65:
                sigma = [reach * 0.8, reach * 1.2]
                kernel = random_mixed_kernels(names, shares, size, sigma, sigma, [-np.pi, np.pi], [0.6, 3], [1, 2])
            else:
                kernel = disc(size, 1.6 * reach) if kind < 0.8 else line(size, 3.0 * reach, state.uniform(0, np.pi))
            bank.append(kernel / kernel.sum())
    finally:
        random.setstate(kept)
        np.random.set_state(kept_numpy)
    kernels = np.asarray(bank, np.float32)
    grid = np.arange(size) - size // 2
    spread = (kernels * (grid[:, None] ** 2 + grid[None, :] ** 2)).sum((1, 2))
    return kernels[np.argsort(spread)]


_FINE = 8  # discs and lines are drawn this many times larger, then averaged down: soft edges


def disc(size: int, radius: float) -> npt.NDArray[np.float64]:
    """Defocus: a disc."""
    grid = (np.arange(size * _FINE) - (size * _FINE - 1) / 2) / _FINE
    inside = (grid[:, None] ** 2 + grid[None, :] ** 2 <= max(radius, 0.3) ** 2).astype(np.float64)
    return np.asarray(inside.reshape(size, _FINE, size, _FINE).mean((1, 3)))


def line(size: int, length: float, angle: float) -> npt.NDArray[np.float64]:
    """Motion: a line of `length` pixels, one pixel wide."""
    grid = (np.arange(size * _FINE) - (size * _FINE - 1) / 2) / _FINE
    along = np.cos(angle) * grid[None, :] + np.sin(angle) * grid[:, None]
    across = -np.sin(angle) * grid[None, :] + np.cos(angle) * grid[:, None]
    inside = ((np.abs(along) <= max(length, 1.0) / 2) & (np.abs(across) <= 0.5)).astype(np.float64)
    return np.asarray(inside.reshape(size, _FINE, size, _FINE).mean((1, 3)))
