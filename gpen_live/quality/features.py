"""The feature network of training, read from a path that a user gave."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

from gpen_live.errors import GpenLiveError

if TYPE_CHECKING:
    import torch

    from gpen_live.facedata.features import Features


def read_features(path: Path, device: torch.device) -> Features:
    """VGG-19 up to relu3_1 on a device.

    Raises:
        GpenLiveError: the file is missing or holds something else.
    """
    from gpen_live.facedata.features import Features

    if not path.is_file():
        raise GpenLiveError("quality.no_feature_net", path=path)
    try:
        return Features.load(path).to(device)
    except (RuntimeError, ValueError, KeyError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        raise GpenLiveError("quality.feature_net", path=path) from error
