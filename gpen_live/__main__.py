"""`python -m gpen_live` is `gpen-live`."""

from gpen_live.cli import entry

entry()
