"""Where the app keeps its settings, its models and what it has measured.

`GPEN_LIVE_HOME` names one folder for all, for portable installations and for tests; without it, the system's usual places.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

HOME_VARIABLE = "GPEN_LIVE_HOME"
_APP = "gpen-live"


def config_dir() -> Path:
    """The folder of settings.json; it may not exist yet."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser() if home else Path(platformdirs.user_config_dir(_APP, appauthor=False, roaming=False))


def data_dir() -> Path:
    """The folder of downloaded models; it may not exist yet."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser() if home else Path(platformdirs.user_data_dir(_APP, appauthor=False, roaming=False))


def cache_dir() -> Path:
    """The folder of what can be measured again; it may not exist yet."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser() if home else Path(platformdirs.user_cache_dir(_APP, appauthor=False))
