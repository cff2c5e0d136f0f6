"""`gpen-live doctor`: what this machine has, what is missing, what to do."""

from __future__ import annotations

import click


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def command(*, as_json: bool) -> int:
    """Examine this machine: what it has, what is missing, what to do. The text names no person and no folder of yours."""
    from rich.console import Console

    from gpen_live.doctor import examine

    if as_json:
        click.echo(examine().to_json())
        return 0
    console = Console()
    with console.status("Examining this machine"):
        report = examine()
    console.print(report.to_table())
    return 0
