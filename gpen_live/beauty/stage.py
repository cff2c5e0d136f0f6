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
    if device.type != "cpu":
        return None
    from gpen_live.beauty.fields import canonical
    from gpen_live.beauty.host import HostBeauty
    from gpen_live.inference.face_mesh import FaceMesh
    from gpen_live.inference.retouch import Retouch

    canonical()
    return HostBeauty(FaceMesh.load(), Retouch.load())
