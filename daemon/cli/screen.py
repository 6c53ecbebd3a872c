"""What commands write to stdout: tables for people, or one JSON object."""

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..store.views import plain
from ..text import clean

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_WIDTH_OF_A_FILE = 200
STYLES = {
    "succeeded": "green",
    "running": "cyan",
    "pending": "blue",
    "skipped": "dim",
    "failed": "red",
    "abandoned": "red",
    "dead": "red",
    "cancelled": "yellow",
    "stopped": "yellow",
    "draining": "yellow",
}


def screen() -> "Console":
    """Return where people read: the terminal, or stdout with room enough."""
    from rich.console import Console  # noqa: PLC0415 - not for JSON

    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    return Console(highlight=False, markup=False, emoji=False, width=width)


def table(*columns: str, right: tuple[str, ...] = (), title: str | None = None) -> "Table":
    """Return an empty table."""
    from rich import box  # noqa: PLC0415 - not for JSON
    from rich.table import Table  # noqa: PLC0415

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", show_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def add(to: "Table", *cells: object) -> None:
    """Add a row; a state gets its colour, and nothing in it steers the terminal."""
    to.add_row(*(cell(value) for value in cells))


def cell(value: object) -> "Text":
    """Return one value as text."""
    from rich.text import Text  # noqa: PLC0415 - not for JSON

    text = "" if value is None else clean(str(value))
    return Text(text, STYLES.get(text.partition(" ")[0], ""))


def write_json(command: str, body: Mapping[str, Any]) -> None:
    """Write the one object of a reading command."""
    document = {"schema": f"leased/{command}/1", **plain(body)}
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
