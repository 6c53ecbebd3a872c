"""The output of commands on stdout: tables, sentences and times for people, or one JSON object."""

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, assert_never

from ..states import JobState, ReplicaState, RunState
from ..store.views.history import RunLine
from ..store.views.values import plain
from ..text import ago, clean, json_text, lasted, number, units, when, wrapped

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment
    from rich.text import Text

_WIDTH_OF_A_FILE = 100_000
"""Columns of what is not a terminal: each row is one line there, for tools that read lines."""
_ALIGNED_IN_A_FILE = 200
"""The columns up to which a cell widens its column there; a longer one pushes aside only what follows in its row."""
_LEAST = 16
"""The least width of a column whose text may be wrapped."""
_LONGEST_UNIT = 40
"""The longest name, instant or word that is never broken there."""
_BETWEEN = 2
"""Columns of space between two columns of a table."""
State = RunState | JobState | ReplicaState
_PLAIN = str.maketrans("●✓✗○", "*+x-")
"""The symbols where the encoding of the output has no others."""


def for_people() -> bool:
    """Return whether people read the output, at a terminal; otherwise it is written in full for programs."""
    return sys.stdout.isatty()


def screen(kind: "type[Console] | None" = None, *, stderr: bool = False) -> "Console":
    """Return a console on stdout or stderr, of this kind: as wide as the terminal, or wide enough for a file."""
    from rich.console import Console  # noqa: PLC0415 - not for JSON

    file = sys.stderr if stderr else sys.stdout  # now: a job in this process may redirect it later
    width = None if file.isatty() else _WIDTH_OF_A_FILE
    # Rich would leave bold and dim, which are no plain text either.
    styles: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return (kind or Console)(highlight=False, markup=False, emoji=False, color_system=styles, width=width, file=file)


class Sheet:
    """A table that fits its screen without breaking a name or an instant.

    Where it is too wide, columns without any text are left out, and then those in ``spare``, the first
    of them first; what is still too wide is shown as one record after the other. ``wraps`` are the
    columns of text that may be wrapped. A column "application" is left out where all its cells are the
    same, those in ``if_any`` where all are empty, and those in ``without`` always. A file has the
    columns ``if_any``, so that a column keeps its place, and a hyphen for an empty cell.
    """

    def __init__(
        self,
        *columns: str,
        right: Collection[str] = (),
        wraps: Collection[str] = (),
        spare: Sequence[str] = (),
        if_any: Collection[str] = (),
        without: Collection[str] = (),
    ) -> None:
        self.columns, self.right, self.wraps, self.spare = columns, right, wraps, spare
        self.if_any, self.without = if_any, without
        self.rows: list[list[Text]] = []

    def add(self, *cells: object) -> None:
        """Add a row. Control characters are removed, so that no value can steer the terminal."""
        from rich.text import Text  # noqa: PLC0415 - not for JSON

        self.rows.append(
            [cell if isinstance(cell, Text) else Text("" if cell is None else clean(str(cell))) for cell in cells]
        )

    def print_or(self, console: "Console", otherwise: str) -> None:
        """Print the table; the sentence ``otherwise`` if it has no rows."""
        if self.rows:
            console.print(self)
        else:
            say(console, otherwise)

    def print_below(self, console: "Console") -> None:
        """Print the table below an empty line; nothing if it has no rows."""
        if self.rows:
            console.print()
            console.print(self)

    def shown_in(self, width: int) -> dict[int, int] | None:
        """Return the places of the columns that fit into ``width``, and how wide each is; None if too few do."""
        least = [self._least(at) for at in range(len(self.columns))]
        places = self._places(width)
        empty = [name for at, name in enumerate(self.columns) if not any(row[at].plain for row in self.rows)]
        for left_out in ((), empty, *((name,) for name in self.spare)):
            places = [at for at in places if self.columns[at] not in left_out]
            more = width - sum(least[at] for at in places) - _BETWEEN * (len(places) - 1)
            if more >= 0:
                break
        else:
            return None
        widths = {at: least[at] for at in places}
        wanting = {at: missing for at in places if (missing := self._widest(at) - least[at]) > 0}
        # What is left over is shared out among the columns that can use it, evenly.
        for left, at in zip(range(len(wanting), 0, -1), sorted(wanting, key=lambda at: wanting[at]), strict=True):
            given = min(wanting[at], more // left)
            widths[at] += given
            more -= given
        return widths

    def _places(self, width: int) -> list[int]:
        """Return the places of the columns that have something to say."""
        places = []
        for at, name in enumerate(self.columns):
            said = {row[at].plain for row in self.rows}
            is_same = name == "application" and len(said) < 2
            is_empty = name in self.if_any and not any(said) and width != _WIDTH_OF_A_FILE
            if not (name in self.without or is_same or is_empty):
                places.append(at)
        return places

    def _least(self, at: int) -> int:
        widest = self._widest(at)
        if self.columns[at] in self.wraps:
            longest = max((width_of(unit) for row in self.rows for unit in units(row[at].plain)), default=0)
            widest = min(widest, max(_LEAST, min(longest, _LONGEST_UNIT)))
        return max(widest, len(self.columns[at]))

    def _widest(self, at: int) -> int:
        return max((row[at].cell_len for row in self.rows), default=0)

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator["Segment"]:
        from rich.segment import Segment  # noqa: PLC0415 - not for JSON

        widths = self.shown_in(options.max_width)
        in_a_file = options.max_width == _WIDTH_OF_A_FILE
        if widths is not None and in_a_file:
            widths = {at: min(width, _ALIGNED_IN_A_FILE) for at, width in widths.items()}
        for line in self._records(options.max_width) if widths is None else self._drawn(widths, wraps=not in_a_file):
            text = "".join(part for part, _ in line)
            kept = len(text.rstrip())
            for part, style in line:
                if kept > 0:
                    yield Segment(part[:kept], console.get_style(style) if style else None)
                kept -= len(part)
            yield Segment.line()

    def _drawn(self, widths: Mapping[int, int], *, wraps: bool) -> Iterator["_Line"]:
        aligned = [(width, self.columns[at] in self.right) for at, width in widths.items()]
        yield from _side_by_side([([self.columns[at].upper()], "bold") for at in widths], aligned)
        for row in self.rows:
            cells = [_in_lines(row[at], width) for at, width in widths.items()]
            if not wraps:
                cells = [([row[at].plain or "-"], str(row[at].style)) for at in widths]
            yield from _side_by_side(cells, aligned)

    def _records(self, width: int) -> Iterator["_Line"]:
        names = max(map(len, self.columns))
        places = self._places(width)
        for place, row in enumerate(self.rows):
            if place and row[0].plain:  # otherwise it goes on with the one before
                yield []
            for at in places:
                lines, style = _in_lines(row[at], max(1, width - names - 2))
                first = self.columns[at] if row[0].plain else ""
                for name, line in zip((first, *[""] * len(lines)), lines, strict=False):
                    if line:
                        yield [(f"{name.upper():>{names}}", "bold"), ("  ", ""), (line, style)]


_Line = list[tuple[str, str]]
"""The parts of a line, each with its style."""
_Cell = tuple[list[str], str]
"""The lines of a cell, and their style."""


def _in_lines(cell: "Text", width: int) -> _Cell:
    """Return the lines of a cell, in which no name and no instant is broken unless it is too long for any."""
    from rich.cells import chop_cells  # noqa: PLC0415 - not for JSON

    if cell.cell_len <= width:
        return [cell.plain], str(cell.style)
    lines = wrapped(cell.plain, width, measure=width_of)
    return [part for line in lines for part in chop_cells(line, width)], str(cell.style)


def _side_by_side(cells: Sequence[_Cell], aligned: Sequence[tuple[int, bool]]) -> Iterator[_Line]:
    """Return the lines of cells that stand beside each other, each in its width, to the right if asked."""
    for at in range(max(len(lines) for lines, _ in cells)):
        line: _Line = []
        for (lines, style), (width, right) in zip(cells, aligned, strict=True):
            text = lines[at] if at < len(lines) else ""
            blanks = " " * (width - width_of(text))
            between = " " * _BETWEEN if line else ""
            line += [(between + blanks, ""), (text, style)] if right else [(between, ""), (text, style), (blanks, "")]
        yield line


def width_of(text: str) -> int:
    from rich.cells import cell_len  # noqa: PLC0415 - not for JSON

    return cell_len(text)


def state_cell(state: State | None, note: str = "") -> "Text":
    """Return a state with its symbol and in its colour, followed by ``note``; empty for None. In a pipe the word alone."""
    from rich.text import Text  # noqa: PLC0415 - not for JSON

    if state is None:
        return Text("")
    symbol, style = _look(state)
    return Text(f"{f'{drawable(symbol)} ' if for_people() else ''}{state}{clean(note)}", style)


def _look(state: State) -> tuple[str, str]:
    """Return the symbol of a state (running, went well, went wrong, or did nothing), and its colour."""
    match state:
        case "running":
            return "●", "cyan"
        case "draining":
            return "●", "yellow"
        case "succeeded":
            return "✓", "green"
        case "failed" | "abandoned" | "dead":
            return "✗", "red"
        case "pending":
            return "○", "blue"
        case "skipped" | "not started":
            return "○", "dim"
        case "cancelled" | "stopped":
            return "○", "yellow"
        case _:
            assert_never(state)


def how_far(done: float | None, total: float | None) -> str:
    """Return how far a job has come: ``12 of 32``; empty if it has not said so."""
    if done is None:
        return ""
    return number(done) if total is None else f"{number(done)} of {number(total)}"


def drawable(text: str) -> str:
    """Return symbols as the encoding of the output can write them."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return text.translate(_PLAIN)
    return text


def say(console: "Console", sentence: str, style: str = "none", *, lead: str = "", hang: int = 0) -> None:
    """Print a sentence without control characters: at a terminal in lines that fit it, in a pipe in one.

    ``lead`` stands before it, and further lines begin below its end, or are indented by ``hang``.
    """
    text = clean(sentence)
    lines, indent = [text], " " * (len(lead) or hang)
    if console.is_terminal:
        lines = wrapped(text, max(_LEAST, console.width - len(lead)), hang=hang, measure=width_of)
    console.print(lead + f"\n{indent}".join(lines), style=style, soft_wrap=True)


def print_sentences(
    console: "Console", sentences: Iterable[str], style: str = "yellow", *, apart: bool = False
) -> None:
    """Print sentences; an empty line above the first if they are to stand ``apart``."""
    for at, sentence in enumerate(sentences):
        if apart and at == 0:
            console.print()
        say(console, sentence, style, hang=2)


_NEAR = timedelta(days=1)
"""Within so much, a moment is shown by how far away it is …"""
_BY_NAME = timedelta(days=6)
"""… and within so much by the day of the week."""


@dataclass(frozen=True, slots=True)
class Times:
    """How a screen shows times, and now by the clock of the database."""

    now: datetime
    in_full: bool

    @classmethod
    def of(cls, now: datetime, *, utc: bool) -> "Times":
        """Return how they are shown here: in full with ``utc``, or if programs read it."""
        return cls(now, utc or not for_people())

    def __call__(self, moment: datetime | None) -> str:
        """Return a moment as text: ``24s ago``, ``in 2h``, ``Sun 02:00``, ``2026-06-01 02:00``; empty for None."""
        if moment is not None and not self.in_full and abs(away := moment - self.now) < _NEAR:
            return ago(-away.total_seconds())
        return self.by_clock(moment)

    def by_clock(self, moment: datetime | None) -> str:
        """Return a moment by the clock, however near it is: ``Sun 02:00``, ``2026-06-01 02:00``; empty for None."""
        if moment is None or self.in_full:
            return when(moment)
        local = moment.astimezone()
        return f"{local:%a %H:%M}" if abs(moment - self.now) < _BY_NAME else f"{local:%Y-%m-%d %H:%M}"


def print_verdict(console: "Console", run: RunLine, times: Times) -> None:
    """Write how a run stands and why, the last line that it printed if it failed, and the next commands."""
    title = f"run {run.run_id} of {clean(run.schedule)} ({clean(run.application)})"
    state = state_cell(run.state, f" in {lasted(run.seconds)}" if run.finished_at and run.started_at else "")
    fits = width_of(title) + 2 + state.cell_len <= console.width
    console.print(title + ("  " if fits else "\n  "), style="bold", end="", soft_wrap=True)
    console.print(state)
    if said := run.in_words(times.by_clock):
        say(console, said, lead="  ")
    if run.last_output:
        say(console, run.last_output, lead="  | ")
    if run.next and for_people():
        say(console, " / ".join(run.next), "dim", lead="  ")


ANSWERS = {
    "status": ("answers.status", "StatusAnswer", 2),
    "report": ("answers.questions", "ReportAnswer", 1),
    "why": ("operations.why", "Explanation", 1),
    "runs": ("answers.questions", "RunsAnswer", 2),
    "show": ("answers.questions", "ShowAnswer", 2),
    "stack": ("operations.look", "StackAnswer", 1),
    "logs": ("answers.questions", "LogsAnswer", 1),
    "locks": ("answers.questions", "LocksAnswer", 1),
    "replicas": ("answers.questions", "ReplicasAnswer", 1),
    "generations": ("answers.questions", "GenerationsAnswer", 1),
    "notify": ("answers.notify", "NotifyAnswer", 1),
    "notify-test": ("answers.notify", "NotifyTestAnswer", 1),
    "doctor": ("answers.questions", "DoctorAnswer", 1),
    "audit": ("cli.commands.reading.audit", "AuditAnswer", 1),
    "check": ("cli.commands.defining.check", "CheckAnswer", 2),
    "preview": ("cli.commands.defining.check", "PreviewAnswer", 2),
    "init": ("cli.commands.defining.init", "InitAnswer", 1),
    "import-crontab": ("cli.commands.defining.imports", "ImportAnswer", 1),
    "sync": ("cli.commands.defining.sync", "SyncAnswer", 1),
    "trigger": ("answers.acts", "TriggerAnswer", 1),
    "cancel": ("operations.cancel", "Cancellation", 1),
    "pause": ("answers.acts", "PauseAnswer", 1),
    "resume": ("answers.acts", "ResumeAnswer", 1),
    "activity": ("answers.questions", "ActivityAnswer", 1),
    "retry": ("operations.retry", "Retry", 1),
    "cancel-many": ("answers.acts", "CancelManyAnswer", 1),
    "retry-many": ("answers.acts", "RetryManyAnswer", 1),
    "forget": ("operations.forget", "Forgotten", 1),
    "retire": ("operations.retire", "RetiredApplication", 1),
    "backfill": ("operations.backfill", "Backfill", 1),
    "backfills": ("answers.questions", "BackfillsAnswer", 1),
    "backfill-changed": ("operations.backfill", "ChangedBackfill", 1),
    "db-current": ("cli.commands.db", "CurrentAnswer", 1),
    "db-restored": ("recovery.restoring", "Restored", 1),
}
"""By command: the module that declares its answer, the class there, and the answer's version."""


def write_json(command: str, answer: object) -> None:
    """Write the JSON object that `--json` asks for; ``answer`` is a dataclass."""
    document = {"schema": name_of(command), **plain(answer)}
    sys.stdout.write(json_text(document) + "\n")


def name_of(command: str) -> str:
    """Return the name of the answer of a command: ``leased/status/2``."""
    return f"leased/{command}/{ANSWERS[command][2]}"
