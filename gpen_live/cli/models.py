"""`gpen-live models`: what there is, downloading it, checking it."""

from __future__ import annotations

import threading

import click

from gpen_live.errors import GpenLiveError
from gpen_live.messages import message
from gpen_live.options import MODEL


@click.group(name="models", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> int:
    """List, download and check the networks' weights."""
    if ctx.invoked_subcommand is None:
        return _list()
    return 0


@command.command(name="list")
def list_command() -> int:
    """List all models and which of them are on this machine."""
    return _list()


@command.command(name="fetch")
@click.argument("name", type=MODEL)
@click.option("--accept-licence", is_flag=True, help="Accept the licence without being asked (for scripts).")
def fetch_command(*, name: str, accept_licence: bool) -> int:
    """Download the model NAME after showing its licence. An interrupted download resumes where it stopped."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from gpen_live.models.fetch import fetch
    from gpen_live.models.registry import get

    spec = get(name)
    console = Console()
    if spec.shipped:
        console.print(message("models.included", name=name).text, highlight=False)
        return 0
    console.print(f"{spec.title}: {spec.licence}\n\n{spec.licence_text}\n", highlight=False)
    if not accept_licence and not _agreed():
        raise GpenLiveError("models.not_accepted")
    cancelled = threading.Event()
    with Progress("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task(name, total=spec.about_bytes)
        try:
            path = fetch(
                name,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
                cancelled=cancelled.is_set,
            )
        except KeyboardInterrupt:
            cancelled.set()
            raise GpenLiveError("models.interrupted") from None
    console.print(message("models.fetched", name=name, path=path).text, highlight=False)
    return 0


@command.command(name="verify")
def verify_command() -> int:
    """Check every installed model: digest, parameters, values."""
    from gpen_live.models.fetch import verify

    failed = False
    for result in verify():
        click.echo(f"{result.spec.name}: {'sound' if result.error is None else result.error}")
        failed = failed or result.error is not None
    return int(failed)


def _agreed() -> bool:
    """Asks on the terminal; no terminal is no agreement."""
    try:
        return click.confirm("Do you accept these terms?", default=False)
    except click.Abort:
        return False


def _list() -> int:
    from rich.console import Console
    from rich.table import Table

    from gpen_live.models.fetch import list_models

    table = Table("model", "crop", "state", "size", "licence")
    for state in list_models():
        spec = state.spec
        length = state.bytes if state.bytes is not None else spec.about_bytes
        where = "included" if spec.shipped else "downloaded" if state.bytes is not None else "not downloaded"
        crop = f"{spec.size} px" if spec.size else ""
        table.add_row(spec.name, crop, where, f"{length / 1e6:.0f} MB", spec.licence)
    Console().print(table)
    return 0
