"""Errors that a user may see: what happened, and what to do about it, in plain sentences."""

from __future__ import annotations


class GpenLiveError(Exception):
    """Something failed in a way that the user can understand and mend.

    Args:
        what: one sentence, what happened; names the file, camera or model.
        remedy: one sentence, what to do; may be empty.
    """

    exit_code = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy


class UsageError(GpenLiveError):
    """A value outside what is allowed; the message says what is allowed."""

    exit_code = 2


class SourceError(GpenLiveError):
    """A camera or a file that can't be opened or stopped delivering."""


class SinkError(GpenLiveError):
    """A virtual camera or a recording that can't be opened or written."""


class WeightsError(GpenLiveError):
    """A weights file that is missing, damaged, of another network, or unsafe; names the file."""


class DeviceError(GpenLiveError):
    """A compute device that is not there or failed."""
