"""The bench's tables as Markdown."""

from __future__ import annotations

from gpen_live.bench.results import Bench
from gpen_live.bench.tables import Table, heading, tables


def to_markdown(bench: Bench) -> str:
    """All tables, each with its title and notes."""
    parts = ["\n".join(f"* {_escaped(line)}" for line in heading(bench))]
    parts += [_table(table) for table in tables(bench)]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    lines = [f"### {table.title}", "", _row(table.columns), _row(("---",) * len(table.columns))]
    lines += [_row(row) for row in table.rows]
    lines += ["", *(f"{_escaped(note)}  " for note in table.notes)] if table.notes else []
    return "\n".join(lines).rstrip()


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    """Nothing in it is Markdown: a network's star, a pipe in a file's name."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*")
