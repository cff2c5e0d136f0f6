"""What lies in guest/ runs inside the guest alone (see run.py), where it must run; elsewhere there is nothing for it to test."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("GPEN_LIVE_GUEST") else ["guest"]
