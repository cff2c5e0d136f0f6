"""Errors that a user may see: each carries the message that says what happened and what to do about it."""

from __future__ import annotations

from gpen_live.messages import Message, message


class GpenLiveError(Exception):
    """Something failed in a way that the user can understand and put right. `str` gives the message's text.

    Args:
        key: the message's id, or the whole message.
        params: the message's parameters; `reason` is what a library or the system said, word for word.
    """

    exit_code = 1

    def __init__(self, key: str | Message, /, **params: object) -> None:
        self.message = message(key, **params) if isinstance(key, str) else key
        super().__init__(self.message)

    @property
    def what(self) -> str:
        """What happened."""
        return self.message.what

    @property
    def remedy(self) -> str:
        """What to do about it; may be empty."""
        return self.message.remedy

    def __str__(self) -> str:
        return self.message.text


_PLAIN = (RuntimeError, OSError, ImportError)


def reason_of(error: BaseException) -> str:
    """A foreign error in short: the first line of what it says, and its type unless that says nothing more."""
    said = str(error).partition("\n")[0]
    if not said:
        return type(error).__name__
    return said if type(error) in _PLAIN else f"{type(error).__name__}: {said}"


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
