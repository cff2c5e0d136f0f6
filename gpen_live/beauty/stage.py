"""The stage that draws beauty, for each kind of device."""

from __future__ import annotations

import importlib.util
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpen_live.beauty.torch import Draws, TorchBeauty
    from gpen_live.engine.result import Stage
    from gpen_live.inference.device import Device

_log = logging.getLogger(__name__)


def open_stage(device: Device) -> Stage | None:
    """The stage for `device`, warm; None where it can't be drawn there. Takes seconds: never to be called by the engine's thread.

    Raises:
        WeightsError: a network's file is missing or damaged.
    """
    from gpen_live.beauty.fields import canonical

    canonical()
    if device.type != "cpu":
        return _on_device(device)
    from gpen_live.beauty.host import HostBeauty
    from gpen_live.inference.face_mesh import FaceMesh
    from gpen_live.inference.retouch import Retouch

    return HostBeauty(FaceMesh.load(), Retouch.load())


def _on_device(device: Device) -> TorchBeauty:
    import torch

    from gpen_live.beauty.torch import TorchBeauty, warm_up
    from gpen_live.inference.device import exclusive

    there = device.torch()

    def host(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, pin_memory=device.type == "cuda")

    with exclusive(device), torch.inference_mode():
        draws = _by_kernels(device)
        if draws is None:
            draws = _by_pytorch(device)
            warm_up(draws, there)
        return TorchBeauty(draws, there, host)


def _by_kernels(device: Device) -> Draws | None:
    """By our own kernels, compiled; None where they don't run."""
    if device.type != "cuda" or importlib.util.find_spec("triton") is None:
        return None
    from gpen_live.beauty.torch import warm_up
    from gpen_live.inference import face_mesh, retouch

    meshes, layers = face_mesh.shipped_networks(), retouch.shipped_network()
    try:
        from gpen_live.beauty.triton_draw import TritonDraws

        draws = TritonDraws(*meshes, layers, device.torch())
        draws.prepare()
        warm_up(draws, device.torch())
    except Exception:  # noqa: BLE001  no compiler, an old card or driver: there is another way
        _log.warning("the kernels of beauty do not run on %s", device, exc_info=True)
        return None
    return draws


def _by_pytorch(device: Device) -> Draws:
    from gpen_live.beauty.torch_draw import TorchDraws
    from gpen_live.inference.torch_face_mesh import TorchFaceMesh
    from gpen_live.inference.torch_retouch import TorchRetouch

    return TorchDraws(TorchFaceMesh.load(device), TorchRetouch.load(device), device.torch())
