"""Sets GPEN Live up if need be, with what its tests use, then runs them with the arguments given here (pytest's)."""

import os
import sys

import python_version  # noqa: F401  first: ends with a sentence on a Python that is too old or too new
from bootstrap import ROOT, hand_over, main, prepare


def _test() -> int:
    python = prepare(tests=True, window=True)
    os.chdir(ROOT)
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # tests start some hundred processes: each would compile all that it imports
    return hand_over([str(python), "-m", "pytest", *sys.argv[1:]], environment)


if __name__ == "__main__":
    sys.exit(main(_test))
