"""GPEN Live: a streamer's face at its best, live, through a virtual camera."""

import os

__version__ = "0.1.0"

# Before PyTorch is loaded by anyone: its threads must sleep while they wait for each other. By default they spin, and beside any
# other busy program (a game, OBS) a spinning pair on one core holds itself up for a scheduler's slice at every layer: measured,
# 7 ms become 800.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KMP_BLOCKTIME", "0")

# Before NumPy is: the small matrices here are no work for two, but its second thread spins between them, a quarter of a core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
