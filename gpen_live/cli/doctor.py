"""`gpen-live doctor`: what this machine has, what is missing, what to do."""

from __future__ import annotations

import click

from gpen_live.messages import message


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(*, as_json: bool) -> int:
    """Check what this machine has, what is missing, and how to fix it. The text names no user and no folder."""
    from rich.console import Console

    from gpen_live.doctor import examine

    if as_json:
        click.echo(examine().to_json())
        return 0
    console = Console()
    with console.status(message("doctor.examining").text):
        report = examine()
    console.print(report.to_table())
    return 0
