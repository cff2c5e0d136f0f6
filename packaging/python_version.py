"""Importing this ends with a sentence on a Python that the app can't run on. Plain enough for Python 3.6 to read."""

import sys


def complaint(major: int, minor: int, platform: str, is_64_bit: bool) -> str:
    """One or two sentences when there is no PyTorch for this Python, otherwise an empty text."""
    if not (3, 10) <= (major, minor) < (3, 13):
        start = "py -3.12 packaging\\start.py" if platform == "win32" else "python3.12 packaging/start.py"
        return (
            f"GPEN Live needs Python 3.10, 3.11 or 3.12, and this is Python {major}.{minor}. "
            f"Install one of them alongside it and use that one, for example: {start}"
        )
    if not is_64_bit:
        return "This is a 32-bit Python, but PyTorch needs a 64-bit one. Install one and use that."
    return ""


_complaint = complaint(sys.version_info[0], sys.version_info[1], sys.platform, sys.maxsize > 2**32)
if _complaint:
    sys.exit(_complaint)
