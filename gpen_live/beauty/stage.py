"""The stage that draws beauty, for each kind of device."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpen_live.engine.result import Stage
    from gpen_live.inference.device import Device


def open_stage(device: Device) -> Stage | None:
    """The stage for `device`, warm; None where it can't be drawn there. Takes seconds: never to be called by the engine's thread.

    Raises:
        WeightsError: a network's file is missing or damaged.
    """
    return None
