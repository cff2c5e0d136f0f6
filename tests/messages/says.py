"""What tests ask of an error: its message's id, and those parameters that matter to them; never a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gpen_live.errors import GpenLiveError
from gpen_live.messages import Message


def says(key: str, **params: object) -> Callable[[GpenLiveError], bool]:
    """For `pytest.raises(..., check=says("camera.busy", name="Webcam"))`."""

    def check(error: GpenLiveError) -> bool:
        assert holds(error.message, key, **params), error.message
        return True

    return check


def mentions(message: Message | None, key: str, **params: object) -> bool:
    """Whether it is this message, as `holds`, or has it among its parameters."""
    return message is not None and any(holds(one, key, **params) for one in _within(message))


def _within(message: Message) -> Iterator[Message]:
    yield message
    for value in message.params.values():
        if isinstance(value, Message):
            yield from _within(value)


def holds(message: Message, key: str, **params: object) -> bool:
    """Whether it is this message, with at least these parameters; paths may be given as they are."""
    given = {name: value if isinstance(value, (int, float, Message)) else str(value) for name, value in params.items()}
    return message.id == key and given.items() <= message.params.items()
