"""`python -m gpen_live` is `gpen-live`."""

import sys

from gpen_live.cli import main

sys.exit(main())
