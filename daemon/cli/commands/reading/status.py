"""`leased status`: replicas, schedules, runs and problems on one screen."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import Connection

from ....operations.generations import GenerationStanding, beside_each_other, read_standings
from ....recovery.deaths import neighbours, proven_dead
from ....service.settings import read_settings
from ....store.views import Overview, Problem, RunningRun, ScheduleLine, problems, read_overview, require_application
from ....text import ago, clean, lasted, number, when
from ...ask import ask
from ...failures import FAILED
from ...options import Application, Database, Json
from ...screen import add, print_sentences, screen, state_cell, table, write_json
from .generation_table import generation_table, sentences

if TYPE_CHECKING:
    from rich.console import Console


def status(
    database: Database = None,
    application: Application = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with status 1 if there is a problem.")] = False,
    as_json: Json = False,
) -> None:
    """Show replicas, schedules, what is running, and what is late, stuck or failing."""
    takeover_after = read_settings({"database_url": database}).takeover_after

    def read(connection: Connection) -> tuple[Overview, list[GenerationStanding]]:
        require_application(connection, application)
        dead = proven_dead(neighbours(connection))
        standings = read_standings(connection, application, dead=dead, takeover_after=takeover_after)
        return read_overview(connection, application, dead=dead), beside_each_other(standings)

    overview, generations = ask(database, read)
    found = problems(overview)
    if as_json:
        write_json(
            "status",
            {
                "database_time": overview.database_time,
                "ok": not found,
                "problems": found,
                "replicas": overview.replicas,
                "generations": generations,
                "running": overview.running,
                "waiting": overview.waiting,
                "waiting_count": overview.waiting_count,
                "items": overview.schedules,
            },
        )
    else:
        _show(screen(), overview, generations, found)
    if check and found:
        raise typer.Exit(FAILED)


def _show(
    console: "Console",
    overview: Overview,
    generations: Sequence[GenerationStanding],
    found: tuple[Problem, ...],
) -> None:
    console.print(f"{when(overview.database_time)} by the database's clock", style="dim")
    if overview.replicas:
        replicas = table("replica", "application", "state", "since", "last seen")
        for one in overview.replicas:
            cells = (state_cell(one.state), when(one.started_at), ago(one.seen_ago))
            add(replicas, f"{one.host}:{one.pid}", one.application, *cells)
        console.print(replicas)
    if generations:
        console.print(generation_table(generations))
        print_sentences(console, sentences(generations))
    _show_schedules(console, overview.schedules)
    _show_running(console, overview.running)
    if overview.waiting_count:
        first = ", ".join(f"{run.schedule} (run {run.id})" for run in overview.waiting[:3])
        rest = f" and {overview.waiting_count - 3} more" if overview.waiting_count > 3 else ""
        console.print(clean(f"Waiting: {first}{rest}"), soft_wrap=True)
    for problem in found:
        console.print(clean(f"{problem.kind}: {problem.text}"), style="red", soft_wrap=True)
    if not found:
        console.print("Nothing is late, stuck or failing.", style="green")


def _show_schedules(console: "Console", found: Sequence[ScheduleLine]) -> None:
    if found:
        schedules = table("schedule", "application", "when", "next due", "last run", "state", "took", right=("took",))
        for line in found:
            last = ", ".join(filter(None, (str(line.last_run_id or ""), when(line.last_started_at))))
            add(
                schedules,
                line.name,
                line.application,
                line.trigger,
                _next(line),
                last,
                state_cell(line.last_state),
                lasted(line.last_seconds),
            )
        console.print(schedules)
    else:
        console.print("There are no schedules yet; `leased run FILE` or `leased sync FILE` adds them.")


def _show_running(console: "Console", found: Sequence[RunningRun]) -> None:
    if found:
        shown = table("run", "schedule", "job", "progress", "for", "token", "holder", right=("run", "for", "token"))
        for run in found:
            job = f"{run.job.job} (attempt {run.job.attempt})" if run.job else "between jobs"
            job += f", cancelled by {run.cancelled_by}" if run.cancelled_by else ""
            add(shown, run.id, run.schedule, job, _progress(run), lasted(run.running_for), run.token, _holder(run))
        console.print(shown)
    print_sentences(console, drains(found))


def drains(running: Iterable[RunningRun]) -> list[str]:
    """Return a sentence for each replica that drains: its runs, and when each usually ends."""
    runs: dict[str, list[RunningRun]] = {}
    for run in running:
        if run.draining:
            runs.setdefault(_holder(run), []).append(run)
    return [f"{holder} drains: {', '.join(map(_usual_end, found))}" for holder, found in runs.items()]


def _usual_end(run: RunningRun) -> str:
    named, left = f"run {run.id} of {run.schedule}", run.usually_ends_in
    if left is None:
        return named
    return f"{named} ({'usually ends' if left > 0 else 'would usually have ended'} {ago(-left)})"


def _next(line: ScheduleLine) -> str:
    if line.paused_at is not None:
        return f"paused by {line.paused_by}" if line.paused_by else "paused"
    if not line.enabled:
        return "disabled"
    return "never" if line.due_in is None else ago(-line.due_in)


def _progress(run: RunningRun) -> str:
    job = run.job
    if job is None or job.done is None:
        return job.message or "" if job else ""
    far = number(job.done) if job.total is None else f"{number(job.done)} of {number(job.total)}"
    return f"{far}, {job.message}" if job.message else far


def _holder(run: RunningRun) -> str:
    return f"{run.host}:{run.pid}" if run.host else run.holder
