"""The command line: a contract that scripts build on (see docs/command-line.md). Exit codes: 0 done, 1 failed, 2 wrong usage."""

from gpen_live.cli.main import entry, leave, main

__all__ = ["entry", "leave", "main"]
