"""The output of commands on stdout: tables for people, or one JSON object."""

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, assert_never

from ..states import JobState, ReplicaState, RunState
from ..text import clean

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text

_WIDTH_OF_A_FILE = 100_000
"""Columns of what is not a terminal: each row is one line there, for tools that read lines."""
_LEAST = 20
"""The least width of a column whose text may be wrapped."""
_BETWEEN = 3
"""Columns of space between two columns of a table."""
State = RunState | JobState | ReplicaState


def screen() -> "Console":
    """Return a console on stdout: as wide as the terminal, or wide enough for a file."""
    from rich.console import Console  # noqa: PLC0415 - not for JSON

    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    if console.no_color:
        console._color_system = None  # noqa: SLF001 - NO_COLOR would leave bold and dim, which are no plain text either
    return console


@dataclass
class Sheet:
    """A table that fits its screen without breaking a name or an instant.

    Where it is too wide, the columns in ``spare`` are left out, the first of them first; what is still
    too wide is shown as one record after the other. ``wraps`` are the columns of text that may be
    wrapped. Those in ``unless_one`` are left out where all their cells are the same.
    """

    columns: tuple[str, ...]
    right: Collection[str] = ()
    wraps: Collection[str] = ()
    spare: Sequence[str] = ()
    unless_one: Collection[str] = ()
    rows: list[list["Text"]] = field(default_factory=list)

    def shown_in(self, width: int) -> list[int] | None:
        """Return the places of the columns that fit into ``width``; None if too few do."""
        places = [
            at
            for at, name in enumerate(self.columns)
            if name not in self.unless_one or len({row[at].plain for row in self.rows}) > 1
        ]
        for spare in (*self.spare, None):
            if sum(map(self._least, places)) + _BETWEEN * (len(places) - 1) <= width:
                return places
            places = [at for at in places if self.columns[at] != spare]
        return None

    def _least(self, at: int) -> int:
        widest = max((row[at].cell_len for row in self.rows), default=0)
        least = min(widest, _LEAST) if self.columns[at] in self.wraps else widest
        return max(least, len(self.columns[at]))

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator["RenderableType"]:
        places = self.shown_in(options.max_width)
        if places is None:
            yield from self._records()
        else:
            yield self._drawn(places)

    def _drawn(self, places: Sequence[int]) -> "Table":
        from rich import box  # noqa: PLC0415 - not for JSON
        from rich.table import Table  # noqa: PLC0415 - not for JSON

        drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for name in (self.columns[at] for at in places):
            justify: Literal["left", "right"] = "right" if name in self.right else "left"
            drawn.add_column(name, justify=justify, overflow="fold", no_wrap=name not in self.wraps)
        for row in self.rows:
            drawn.add_row(*(row[at] for at in places))
        return drawn

    def _records(self) -> Iterator["Table"]:
        from rich.table import Table  # noqa: PLC0415 - not for JSON

        for row in self.rows:
            record = Table.grid(padding=(0, 2))
            record.add_column(justify="right", no_wrap=True, style="bold", min_width=max(map(len, self.columns)))
            record.add_column(overflow="fold")
            for name, cell in zip(self.columns, row, strict=True):
                if cell.plain:
                    record.add_row(name, cell)
            record.add_row()
            yield record


def table(
    *columns: str,
    right: Collection[str] = (),
    wraps: Collection[str] = (),
    spare: Sequence[str] = (),
    unless_one: Collection[str] = (),
) -> Sheet:
    """Return an empty table; see `Sheet` for what its columns may be."""
    return Sheet(columns, right, wraps, spare, unless_one)


def add(to: Sheet, *cells: object) -> None:
    """Add a row. Control characters are removed, so that no value can steer the terminal."""
    from rich.text import Text  # noqa: PLC0415 - not for JSON

    to.rows.append(
        [cell if isinstance(cell, Text) else Text("" if cell is None else clean(str(cell))) for cell in cells]
    )


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
