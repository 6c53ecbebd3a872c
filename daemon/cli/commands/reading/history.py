"""`leased runs` and `leased show`: the history of runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from sqlalchemy import Connection

from ....store.views import (
    JobRunLine,
    RetiredSchedule,
    RunDetail,
    RunLine,
    read_retirements,
    read_run,
    read_runs,
    require_schedule,
)
from ....text import clean, lasted, number, signal_name, size, when
from ...answers import write_json
from ...ask import ask
from ...named import RunOrName, run_given
from ...options import RUN_STATES, Application, Database, Json, run_state
from ...screen import Sheet, add, print_sentences, say, screen, state_cell, table

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = 8
"""How many characters of the id of a holder are shown whose name is not known any more; --json has all of them."""


@dataclass(frozen=True, slots=True)
class RunsAnswer:
    """The answer of `leased runs --json`."""

    items: Sequence[RunLine]


@dataclass(frozen=True, slots=True)
class ShowAnswer(RunLine):
    """The answer of `leased show --json`: a run, more about it, and its attempts."""

    params: Mapping[str, Any]
    abandoned: int
    available_at: datetime | None
    requested_by: str | None
    requested_why: str | None
    cancelled_at: datetime | None
    cancelled_by: str | None
    cancelled_why: str | None
    forgotten_at: datetime | None
    forgotten_by: str | None
    replica: str | None
    items: Sequence[JobRunLine]


def runs(
    schedule: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this schedule.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Maximum number to list.")] = 20,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help=f"Only runs in this state: {', '.join(RUN_STATES)}.")
    ] = None,
    database: Database = None,
    application: Application = None,
    as_json: Json = False,
) -> None:
    """List runs, latest first."""
    of_state = run_state(state)

    def read(connection: Connection) -> tuple[list[RunLine], list[RetiredSchedule]]:
        require_schedule(connection, schedule, application)
        runs = read_runs(connection, limit=limit, application=application, schedule=schedule, state=of_state)
        return runs, [] if schedule is None else read_retirements(connection, schedule, application)

    found, gone = ask(database, read)
    if as_json:
        write_json("runs", RunsAnswer(found))
        return
    console = screen()
    if found:
        console.print(_table(found))
    elif schedule or of_state or application:
        say(console, "No run matches; `leased runs` lists the runs of every schedule, in any state.")
    else:
        say(
            console,
            "There are no runs yet; a run is created when a schedule is due, or by `leased trigger SCHEDULE`.",
        )
    print_sentences(console, (one.in_words for one in gone))


def _table(found: Sequence[RunLine]) -> Sheet:
    shown = table(
        "run",
        "application",
        "schedule",
        "scheduled for",
        "state",
        "reason",
        "started",
        "took",
        "token",
        right=("run", "took", "token"),
        wraps=("reason",),
        spare=("token", "took", "started"),
        unless_one=("application",),
    )
    for run in found:
        instants = (
            f"{when(run.scheduled_for)} and {number(run.count - 1)} more" if run.count > 1 else when(run.scheduled_for)
        )
        cells = (instants, state_cell(run.state), _reason(run), when(run.started_at), lasted(run.seconds), run.token)
        add(shown, run.run_id, run.application, run.schedule, *cells)
    return shown


def _reason(run: RunLine) -> str:
    return "; ".join(filter(None, (run.in_words, run.retries_in_words)))


def show(
    run: RunOrName,
    application: Application = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show one run with its attempts, tokens, holders and log tails."""
    run_id = run_given(database, run, application, "latest")

    def read(connection: Connection) -> tuple[RunDetail, list[RetiredSchedule]]:
        detail = read_run(connection, run_id)
        return detail, read_retirements(connection, detail.run.schedule, detail.run.application)

    detail, gone = ask(database, read)
    if as_json:
        write_json("show", _answer(detail))
        return
    console = screen()
    _show(console, detail)
    print_sentences(console, (one.in_words for one in gone))


def _answer(detail: RunDetail) -> ShowAnswer:
    run = {field.name: getattr(detail.run, field.name) for field in fields(RunLine)}
    more = {field.name: getattr(detail, field.name) for field in fields(RunDetail) if field.name not in ("run", "jobs")}
    return ShowAnswer(**run, **more, items=detail.jobs)


def _show(console: "Console", detail: RunDetail) -> None:
    run = detail.run
    instants = f"{when(run.scheduled_for)} to {when(run.last_scheduled_for)}, {number(run.count)} instants"
    facts = {
        "run": f"{run.run_id} of {run.schedule} ({run.application})",
        "scheduled for": instants if run.count > 1 else when(run.scheduled_for),
        "cause": _cause(run),
        "retried": None if run.retried_as is None else f"as run {run.retried_as}",
        "requested by": ", ".join(filter(None, (detail.requested_by, detail.requested_why))),
        "cancelled by": ", ".join(filter(None, (detail.cancelled_by, detail.cancelled_why, when(detail.cancelled_at)))),
        "forgotten by": ", ".join(filter(None, (detail.forgotten_by, when(detail.forgotten_at)))),
        "state": run.state,
        "reason": run.in_words,
        "to finish by": f"{when(run.finish_by)}{', late' if run.late_to_finish else ''}",
        "started": when(run.started_at),
        "ended": when(run.finished_at),
        "took": lasted(run.seconds),
        "token": run.token,
        "holder": detail.replica or run.holder,
        "claimed": f"{run.attempt} times, {detail.abandoned} abandoned" if detail.abandoned else None,
        "not before": when(detail.available_at) if run.state == "pending" else None,
        "params": json.dumps(detail.params, ensure_ascii=False) if detail.params else None,
    }
    for name, value in facts.items():
        if value not in (None, ""):
            say(console, str(value), lead=f"{name:>14}  ")
    if not detail.jobs:
        return
    console.print(_attempts(detail.jobs))
    for job in detail.jobs:
        _texts(console, job)


def _cause(run: RunLine) -> str:
    again = None if run.retry_of is None else f"retry of run {run.retry_of}"
    if run.backfill is not None:
        return f"backfill {run.backfill}" + (f", {again}" if again else "")
    return again or run.cause


def _attempts(jobs: Sequence[JobRunLine]) -> Sheet:
    columns = ("job", "attempt", "state", "token", "holder", "release", "started", "took", "progress", "exit", "memory")
    differ = len({job.release for job in jobs}) > 1
    spare = (*(() if differ else ("release",)), "holder", "token", "started")
    shown = table(*columns, right=("attempt", "token", "took", "memory"), wraps=("progress",), spare=spare)
    for job in jobs:
        holder, started, took = job.replica or job.holder[:_SHOWN], when(job.started_at), lasted(job.seconds)
        memory = "" if job.peak_memory is None else size(job.peak_memory)
        before = "" if job.carried_from is None else f" in run {job.carried_from}"
        cells = (
            state_cell(job.state, before),
            job.token,
            holder,
            job.release,
            started,
            took,
            _progress(job),
            _exit(job),
            memory,
        )
        add(shown, job.job, job.attempt, *cells)
    return shown


def _texts(console: "Console", job: JobRunLine) -> None:
    lost = None if job.lost_why is None else f"its lease was lost: {job.lost_why}"
    for what, text in (("end", lost), ("error", job.error), ("log", job.log_tail)):
        if text and text.strip():
            console.print(f"{what} of {clean(job.job)}, attempt {job.attempt}:", style="bold")
            console.print(clean(text.rstrip(), lines=True), soft_wrap=True)


def _progress(job: JobRunLine) -> str:
    far = "" if job.done is None else number(job.done)
    if job.done is not None and job.total is not None:
        far += f" of {number(job.total)}"
    return ", ".join(filter(None, (far, job.message)))


def _exit(job: JobRunLine) -> str:
    if job.exit_signal is not None:
        return signal_name(job.exit_signal)
    return "" if job.exit_status is None else f"status {job.exit_status}"
