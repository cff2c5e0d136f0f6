"""Where the app keeps its settings, its models, what it has measured, and its log.

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


def log_file() -> Path:
    """What went wrong, for whoever asks for help; it exists once something did."""
    home = os.environ.get(HOME_VARIABLE)
    folder = Path(home).expanduser() if home else Path(platformdirs.user_log_dir(_APP, appauthor=False))
    return folder / f"{_APP}.log"


def cache_dir() -> Path:
    """The folder of what can be measured again; it may not exist yet."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser() if home else Path(platformdirs.user_cache_dir(_APP, appauthor=False))
