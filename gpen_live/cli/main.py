"""Entry point: commands, and errors as one or two plain sentences."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from gpen_live import __version__
from gpen_live.errors import GpenLiveError
from gpen_live.messages import Message, message
from gpen_live.privacy import guard_tracebacks, log_to_file, log_to_terminal, scrub
from gpen_live.system.folders import log_file
from gpen_live.system.heap import share_one
from gpen_live.system.opencv import prepare

_COMMANDS = {
    "run": "gpen_live.cli.run",
    "enhance": "gpen_live.cli.enhance",
    "bench": "gpen_live.cli.bench",
    "soak": "gpen_live.cli.soak",
    "evaluate": "gpen_live.cli.evaluate",
    "models": "gpen_live.cli.models",
    "doctor": "gpen_live.cli.doctor",
}
_LONGEST_NAME = 200  # characters of a file's name in an error
_log = logging.getLogger(__name__)


class _Lazy(click.Group):
    """Imports a command's module only when it is called or listed: the window must not wait for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(_COMMANDS[cmd_name]).command
        return command


@click.group(cls=_Lazy, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gpen-live")
@click.pass_context
def _cli(ctx: click.Context) -> None:
    """GPEN Live makes your face look its best, live. Without a command, it opens the window.

    Every command accepts --debug, which shows the full traceback of an error.
    """
    if ctx.invoked_subcommand is None:
        from gpen_live.cli.run import open_window

        ctx.exit(open_window())


def entry() -> NoReturn:
    """What the installed command calls: runs the command line and ends the process with its exit code."""
    _have_streams()
    prepare()
    guard_tracebacks()
    share_one()
    try:
        log_to_terminal(logging.CRITICAL)
        log_to_file(log_file())
        code = main()
    except Exception as error:  # noqa: BLE001  --debug, or there is no place to tell of one
        code = 1
        sys.excepthook(type(error), error, error.__traceback__)
    leave(code)


def _have_streams() -> None:
    """A windowed start has no terminal: what is printed goes nowhere, and nobody need look whether there is one."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  for as long as the program runs


def leave(code: int) -> NoReturn:
    """Ends the process once everything is written and closed.

    A thread that still loads a model (importing PyTorch can't be interrupted) or waits for a camera's driver would make the
    interpreter's own shutdown abort inside C++, so the process ends without it.
    """
    with contextlib.suppress(OSError, ValueError):  # the reader of our output may have gone
        sys.stdout.flush()
        sys.stderr.flush()
    if any(thread.daemon and thread.is_alive() for thread in threading.enumerate()):
        os._exit(code)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    log_to_terminal(logging.DEBUG if debug else logging.CRITICAL)
    for noisy in ("PIL", "libav", "matplotlib", "numba"):
        logging.getLogger(noisy).setLevel(logging.WARNING if debug else logging.CRITICAL)
    try:
        result = _cli.main(words, prog_name="gpen-live", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 1
    except GpenLiveError as error:
        if debug:
            raise
        _log.error("%s", error)
        _echo(error.message)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nothing to tell anyone
        return 1
    except OSError as error:  # such as a name that is too long for the disk
        if debug:
            raise
        _echo(_unusable(error))
        return 1
    except Exception as error:
        if debug:
            raise
        _log.exception("unforeseen")
        _echo(message("cli.unexpected", reason=scrub(f"{type(error).__name__}: {error}")))
        return 1


def _unusable(error: OSError) -> Message:
    reason = (error.strerror or str(error)).lower()
    if not error.filename:
        return message("cli.unusable_something", reason=reason)
    file = str(error.filename)
    return message("cli.unusable_file", file=file if len(file) <= _LONGEST_NAME else f"{file[:_LONGEST_NAME]}...", reason=reason)


def _echo(said: Message) -> None:
    click.echo(f"gpen-live: {said.text}", err=True)
