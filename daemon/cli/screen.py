"""The output of commands on stdout: tables for people, or one JSON object."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, assert_never

from ..states import JobState, ReplicaState, RunState
from ..store.views import plain
from ..text import clean

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_WIDTH_OF_A_FILE = 200
State = RunState | JobState | ReplicaState


def screen() -> "Console":
    """Return a console on stdout: as wide as the terminal, or wide enough for a file."""
    from rich.console import Console  # noqa: PLC0415 - not for JSON

    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    return Console(highlight=False, markup=False, emoji=False, width=width)


def table(*columns: str, right: tuple[str, ...] = (), title: str | None = None) -> "Table":
    """Return an empty table, with the columns named in ``right`` aligned to the right."""
    from rich import box  # noqa: PLC0415 - not for JSON
    from rich.table import Table  # noqa: PLC0415

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", show_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def add(to: "Table", *cells: object) -> None:
    """Add a row. Control characters are removed, so that no value can steer the terminal."""
    from rich.text import Text  # noqa: PLC0415 - not for JSON

    to.add_row(*(cell if isinstance(cell, Text) else Text("" if cell is None else clean(str(cell))) for cell in cells))


def state_cell(state: State | None, note: str = "") -> "Text":
    """Return a state in its colour, followed by ``note``; empty for None."""
    from rich.text import Text  # noqa: PLC0415 - not for JSON

    return Text("") if state is None else Text(f"{state}{note}", state_style(state))


def state_style(state: State) -> str:
    """Return the colour of a state of a run, a job run or a replica."""
    match state:
        case "succeeded":
            return "green"
        case "running":
            return "cyan"
        case "pending":
            return "blue"
        case "skipped" | "not started":
            return "dim"
        case "failed" | "abandoned" | "dead":
            return "red"
        case "cancelled" | "stopped" | "draining":
            return "yellow"
        case _:
            assert_never(state)


def print_sentences(console: "Console", sentences: Iterable[str], style: str = "yellow") -> None:
    """Print sentences, one a line, without control characters."""
    for sentence in sentences:
        console.print(clean(sentence), style=style, soft_wrap=True)


def write_json(command: str, body: Mapping[str, Any]) -> None:
    """Write the JSON object that `--json` asks for."""
    document = {"schema": f"leased/{command}/1", **plain(body)}
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
