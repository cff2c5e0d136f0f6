"""Sets GPEN Live up if need be, then starts it with the arguments given here."""

import os
import sys

import python_version  # noqa: F401  first: ends with a sentence on a Python that is too old or too new
from bootstrap import hand_over, main, prepare, wants_window


def _start() -> int:
    arguments = sys.argv[1:]
    python = prepare(tests=False, window=wants_window(arguments))
    return hand_over([str(python), "-m", "gpen_live", *arguments], os.environ)


if __name__ == "__main__":
    sys.exit(main(_start))
