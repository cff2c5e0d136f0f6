"""The bench's tables in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable

from gpen_live.bench.results import Bench
from gpen_live.bench.tables import Table, heading, tables

_WIDE = 150  # columns where no terminal sets them: a pipe, a file


def show(bench: Bench, console: Console) -> None:
    """Prints all tables."""
    if not console.is_terminal:
        console.width = max(console.width, _WIDE)
    console.print()
    for line in heading(bench):
        console.print(line, highlight=False, markup=False)
    for table in tables(bench):
        console.print(_rich(table))
        for note in table.notes:
            console.print(note, highlight=False, markup=False)


def _rich(table: Table) -> RichTable:
    numbers = [_counts(cells) for cells in zip(*table.rows, strict=True)]
    made = RichTable(title=table.title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for place, (name, right) in enumerate(zip(table.columns, numbers, strict=True)):
        made.add_column(name, justify="right" if right else "left", no_wrap=place == 0, overflow="fold")
    for row in table.rows:
        made.add_row(*row)
    return made


def _counts(cells: tuple[str, ...]) -> bool:
    """Whether a column holds numbers, which stand below each other's ends."""
    return all(cell[:1].isdigit() or cell[:1] in ("", "+", "-") for cell in cells)
