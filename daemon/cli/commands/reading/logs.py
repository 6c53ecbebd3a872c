"""`leased logs`: what the jobs of a run print, as it comes."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from ....answers.questions import logs_answer
from ....states import UNFINISHED
from ....store.views.defined import read_retirements
from ....store.views.output import OutputOfRun, OutputPart, OutputReader
from ....text import clean, cut_here
from ...ask import ask, ask_again, run_given
from ...options import Application, Database, RunOrName, tell
from ...screen import for_people, print_sentences, say, screen, state_cell, write_json


def logs(
    run: RunOrName,
    job: Annotated[str | None, typer.Option(metavar="NAME", help="Only this job.")] = None,
    attempt: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only this attempt.")] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", "-f", help="Keep printing until the run has finished; wait for it if it has not started."
        ),
    ] = False,
    application: Application = None,
    database: Database = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; with --follow, one per line.")
    ] = False,
) -> None:
    """Print the output of a run's jobs; with --follow, as it arrives."""
    run_id = run_given(database, run, application, "begun")
    if run != str(run_id) and not (as_json or run.isdigit()):
        tell(f"run {run_id} of {run}:")
    reader = OutputReader(run_id, job, attempt, waits=follow)
    text = None if as_json else _Text(titled=job is None or attempt is None)
    more = _objects() if text is None else text.more
    if follow:
        ask_again(database, reader.read, more)
    else:
        more(ask(database, reader.read))
    if text is not None and (found := text.end(follow=follow)) is not None:
        gone = ask(database, lambda connection: read_retirements(connection, found.schedule, found.application))
        print_sentences(screen(), (one.in_words for one in gone))


def _objects() -> Callable[[OutputOfRun], bool]:
    """Return what writes output as objects, one for all that came at once or for another state of the run, and returns
    whether there may be more.
    """
    state: str | None = None

    def more(found: OutputOfRun) -> bool:
        nonlocal state
        if found.parts or found.state != state:
            write_json("logs", logs_answer(found))
            sys.stdout.flush()
        state = found.state
        return found.state in UNFINISHED

    return more


_HINTS = {"pending": "; --follow waits for it", "failed": "; `leased show {}` says why"}
"""The remedy, by the state of a run that has no output."""
_INSIDE = (
    "Its job ran in the replica's own process. A replica that is part of another program keeps only `run.log`; what "
    "such jobs print goes where that program prints."
)


class _Text:
    """Output as text, each attempt under its name if it is ``titled``."""

    def __init__(self, *, titled: bool) -> None:
        self._console = screen()
        self._titled = titled
        self._of: tuple[str, int] | None = None
        self._in_line = False
        self._last: OutputOfRun | None = None

    def more(self, found: OutputOfRun) -> bool:
        """Write the new output; return whether there may be more."""
        for part in found.parts:
            self._write(part)
        self._last = found
        return found.state in UNFINISHED

    def end(self, *, follow: bool) -> OutputOfRun | None:
        """End the last line, and write how a followed run ended; if the run had no output, write that and return it."""
        self._end_line()
        run = self._last
        assert run is not None  # noqa: S101 - it has been asked for
        named = f"run {run.run_id} of {clean(run.schedule)}"
        if self._of is None:
            far = " so far" if run.state in UNFINISHED else ""
            hint = _HINTS.get(run.state, "").format(run.run_id)
            say(self._console, f"There is no output of {named}{far} ({run.state}{hint}).", "dim")
            if run.is_inside and not hint:
                say(self._console, _INSIDE, "dim")
            return run
        if follow and self._titled:
            self._console.print(f"\n{named}  ", style="bold", end="", soft_wrap=True)
            self._console.print(state_cell(run.state))
            if run.state == "failed" and for_people():
                say(self._console, f"leased show {run.run_id}", "dim", lead="  ")
        return None

    def _write(self, part: OutputPart) -> None:
        if self._of != (part.job, part.attempt):
            self._end_line()
            if self._titled:
                if self._of is not None:
                    self._console.print()
                say(self._console, f"{part.job}, attempt {part.attempt}:", "bold")
            self._of = part.job, part.attempt
        if part.cut_bytes:
            self._end_line()
            say(self._console, cut_here(part.cut_lines, part.cut_bytes), "dim")
        sys.stdout.write(clean(part.text, lines=True))  # as it is: rich would make spaces of tabs
        sys.stdout.flush()
        self._in_line = not part.text.endswith("\n")

    def _end_line(self) -> None:
        if self._in_line:
            self._console.print()
        self._in_line = False
