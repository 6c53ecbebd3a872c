"""`leased runs`, `leased show` and `leased logs`: the history of runs, and what their jobs printed."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Annotated

import typer
from sqlalchemy import Connection

from ....answers.questions import RunsAnswer, logs_answer, show_answer
from ....states import UNFINISHED
from ....store.statements.schedule import database_time
from ....store.views.defined import RetiredSchedule, read_retirements
from ....store.views.history import JobRunLine, RunDetail, RunLine, read_run, read_runs
from ....store.views.names import require_schedule
from ....store.views.output import OutputOfRun, OutputPart, OutputReader
from ....text import clean, counted, cut_here, lasted, number, signal_name, size
from ...ask import ask, ask_again, run_given
from ...options import RUN_STATES, Application, Database, Json, Limit, OnlySchedule, RunOrName, Utc, Wide, one_of, tell
from ...screen import (
    Sheet,
    Times,
    for_people,
    how_far,
    print_sentences,
    print_verdict,
    say,
    screen,
    state_cell,
    write_json,
)


def runs_table(found: Sequence[RunLine], times: Times, *, wide: bool) -> Sheet:
    """Return the table; started and token are shown only if it is ``wide``."""
    shown = Sheet(
        *("run", "schedule", "application", "due", "state", "took", "try", "started", "token", "reason"),
        right=("run", "took", "token"),
        wraps=("reason",),
        spare=() if wide else ("took", "try"),
        if_any=("reason",),
        without=() if wide else ("started", "token"),
    )
    for alike in _folded(found, times) if for_people() else ([run] for run in found):
        run, count = alike[0], sum(one.count for one in alike)
        first, last = alike[-1].run_id, run.run_id  # the latest is first
        to = "-" if last - first == len(alike) - 1 else "…"  # others are between
        reason = (run.in_words(times.by_clock), run.last_output, run.retries_in_words)
        shown.add(
            *(f"{first}{to}{last}" if len(alike) > 1 else last, run.schedule, run.application, _due(alike, times)),
            state_cell(run.state, f" x{number(count)}" if count > 1 else ""),
            *(lasted(run.seconds), tries(run), times(run.started_at), run.token),
            "; ".join(filter(None, reason)),
        )
    return shown


def tries(run: RunLine) -> str:
    """Return how often a run was started, and how many of its attempts crashed: ``2 (1 crash)``."""
    crashes = f" ({counted(run.crashes, 'crash', 'crashes')})" if run.crashes else ""
    return f"{run.attempt}{crashes}" if run.attempt else ""


def _folded(found: Iterable[RunLine], times: Times) -> Iterator[list[RunLine]]:
    """Yield runs; adjacent skipped runs of one schedule and cause are together."""
    for skipped, block in groupby(found, key=lambda run: run.state == "skipped"):
        together: dict[object, list[RunLine]] = {}
        for run in block:
            key = (run.application, run.schedule, run.in_words(times.by_clock)) if skipped else run.run_id
            together.setdefault(key, []).append(run)
        yield from together.values()


def _due(alike: Sequence[RunLine], times: Times) -> str:
    first = times(alike[-1].scheduled_for)
    last = times(alike[0].last_scheduled_for or alike[0].scheduled_for)
    if first == last:
        return first
    if first.endswith(" ago") and last.endswith(" ago"):
        return f"{last.removesuffix(' ago')}-{first}"
    return f"{first} to {last}"


_SHOWN = 8
"""How many characters of the id of a holder are shown whose name is not known any more; --json has all of them."""


def runs(
    schedule: OnlySchedule = None,
    limit: Limit = 20,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help=f"Only runs in this state: {', '.join(RUN_STATES)}.")
    ] = None,
    wide: Wide = False,
    utc: Utc = False,
    database: Database = None,
    application: Application = None,
    as_json: Json = False,
) -> None:
    """List runs, latest first."""
    of_state = one_of(RUN_STATES, "state", state)

    def read(connection: Connection) -> tuple[datetime, list[RunLine], list[RetiredSchedule]]:
        require_schedule(connection, schedule, application)
        runs = read_runs(connection, limit=limit, application=application, schedule=schedule, state=of_state)
        gone = [] if schedule is None else read_retirements(connection, schedule, application)
        return database_time(connection), runs, gone

    now, found, gone = ask(database, read)
    if as_json:
        write_json("runs", RunsAnswer(found))
        return
    console = screen()
    none = "There are no runs yet; a run is created when a schedule is due, or by `leased trigger SCHEDULE`."
    if schedule or of_state or application:
        none = "No run matches; `leased runs` lists the runs of every schedule, in any state."
    runs_table(found, Times.of(now, utc=utc), wide=wide or not for_people()).print_or(console, none)
    if for_people() and (failed := next((run for run in found if run.state == "failed" and run.next), None)):
        console.print()
        say(console, " / ".join((f"leased show {failed.run_id}", *failed.next)), "dim")
    print_sentences(console, (one.in_words for one in gone))


def show(
    run: RunOrName,
    wide: Wide = False,
    utc: Utc = False,
    application: Application = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show one run with its attempts, errors and output; with --wide, its tokens and holders too."""
    run_id = run_given(database, run, application, "latest")

    def read(connection: Connection) -> tuple[datetime, RunDetail, list[RetiredSchedule]]:
        detail = read_run(connection, run_id)
        gone = read_retirements(connection, detail.run.schedule, detail.run.application)
        return database_time(connection), detail, gone

    now, detail, gone = ask(database, read)
    if as_json:
        write_json("show", show_answer(detail))
        return
    console, times, in_full = screen(), Times.of(now, utc=utc), wide or not for_people()
    print_verdict(console, detail.run, times)
    console.print()
    for name, value in _facts(detail, times, wide=in_full).items():
        if value not in {None, ""}:
            say(console, str(value), lead=f"{name:>14}  ")
    _attempts(detail.jobs, times, wide=in_full).print_below(console)
    for job in detail.jobs:
        lost = None if job.lost_why is None else f"its lease was lost: {job.lost_why}"
        for what, text in (("end", lost), ("error", job.error), ("log", job.log_tail)):
            if text and text.strip():
                console.print()
                console.print(f"{what} of {clean(job.job)}, attempt {job.attempt}:", style="bold")
                console.print(clean(text.rstrip(), lines=True), soft_wrap=True)
    print_sentences(console, (one.in_words for one in gone))


def _facts(detail: RunDetail, times: Times, *, wide: bool) -> dict[str, object]:
    run = detail.run
    instants = f"{times(run.scheduled_for)} to {times(run.last_scheduled_for)}, {number(run.count)} scheduled times"
    again = None if run.retry_of is None else f"retry of run {run.retry_of}"
    cause = again or ("trigger" if run.cause == "manual" else run.cause)
    if run.backfill is not None:
        cause = ", ".join(filter(None, (f"backfill {run.backfill}", again)))
    cancelled = (detail.cancelled_by, detail.cancelled_why, times(detail.cancelled_at))
    facts = {
        "due": instants if run.count > 1 else times(run.scheduled_for),
        "cause": cause,
        "retried": None if run.retried_as is None else f"as run {run.retried_as}",
        "requested by": ", ".join(filter(None, (detail.requested_by, detail.requested_why))),
        "cancelled by": ", ".join(filter(None, cancelled)),
        "forgotten by": ", ".join(filter(None, (detail.forgotten_by, times(detail.forgotten_at)))),
        "to finish by": f"{times(run.finish_by)}{', late' if run.late_to_finish else ''}",
        "started": times(run.started_at),
        "ended": times(run.finished_at),
        "try": tries(run),
        "not before": times(detail.available_at) if run.state == "pending" else None,
        "params": json.dumps(detail.params, ensure_ascii=False) if detail.params else None,
    }
    return facts | ({"token": run.token, "holder": detail.replica or run.holder} if wide else {})


def _attempts(jobs: Sequence[JobRunLine], times: Times, *, wide: bool) -> Sheet:
    columns = ("job", "attempt", "state", "started", "took", "progress", "exit", "memory", "release", "token", "holder")
    differ = len({job.release for job in jobs}) > 1
    shown = Sheet(
        *columns,
        right=("attempt", "took", "memory", "token"),
        wraps=("progress",),
        spare=() if wide else ("memory", "started"),
        if_any=columns,
        without=() if wide else ("token", "holder", *([] if differ else ["release"])),
    )
    for job in jobs:
        before = "" if job.carried_from is None else f" in run {job.carried_from}"
        progress = ", ".join(filter(None, (how_far(job.done, job.total), job.message)))
        status = "" if job.exit_status is None else f"status {job.exit_status}"
        ended = status if job.exit_signal is None else signal_name(job.exit_signal)
        memory = "" if job.peak_memory is None else size(job.peak_memory)
        shown.add(
            *(job.job, job.attempt, state_cell(job.state, before), times(job.started_at), lasted(job.seconds)),
            *(progress, ended, memory, job.release, job.token, job.replica or job.holder[:_SHOWN]),
        )
    return shown


_FOLLOW_HELP = "Keep printing until the run has finished; wait for it if it has not started."


def logs(
    run: RunOrName,
    job: Annotated[str | None, typer.Option(metavar="NAME", help="Only this job.")] = None,
    attempt: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only this attempt.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help=_FOLLOW_HELP)] = False,
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
    last: OutputOfRun | None = None

    def more(found: OutputOfRun) -> bool:
        """Write what has come; return whether there may be more."""
        nonlocal last
        if text is not None:
            for part in found.parts:
                text.write(part)
        elif last is None or found.parts or found.state != last.state:
            write_json("logs", logs_answer(found))
            sys.stdout.flush()
        last = found
        return found.state in UNFINISHED

    if follow:
        ask_again(database, reader.read, more)
    else:
        more(ask(database, reader.read))
    if text is not None and last is not None and text.end(last, follow=follow):
        of = last.schedule, last.application
        gone = ask(database, lambda connection: read_retirements(connection, *of))
        print_sentences(screen(), (one.in_words for one in gone))


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

    def end(self, run: OutputOfRun, *, follow: bool) -> bool:
        """End the last line, and write how a followed run ended; if it had no output, write that and return True."""
        self._end_line()
        named = f"run {run.run_id} of {clean(run.schedule)}"
        if self._of is None:
            far = " so far" if run.state in UNFINISHED else ""
            hint = _HINTS.get(run.state, "").format(run.run_id)
            say(self._console, f"There is no output of {named}{far} ({run.state}{hint}).", "dim")
            if run.is_inside and not hint:
                say(self._console, _INSIDE, "dim")
            return True
        if follow and self._titled:
            self._console.print(f"\n{named}  ", style="bold", end="", soft_wrap=True)
            self._console.print(state_cell(run.state))
            if run.state == "failed" and for_people():
                say(self._console, f"leased show {run.run_id}", "dim", lead="  ")
        return False

    def write(self, part: OutputPart) -> None:
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
