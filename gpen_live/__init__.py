"""GPEN Live: a streamer's face at its best, live, through a virtual camera."""

__version__ = "0.1.0"
