"""What `leased status` shows to people."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ....operations.generations import GenerationStanding
from ....states import ON_REQUEST
from ....store.views import LeftOut, Overview, Problem, ReplicaLine, RetiredSchedule, RunningRun, ScheduleLine, naming
from ....text import ago, lasted, listed, number, when
from ...screen import add, print_sentences, say, state_cell, table
from .generation_table import generation_table, sentences
from .releases import releases_live

if TYPE_CHECKING:
    from rich.console import Console

_DAYS_BY_NAME = timedelta(days=6)
MOST = 50
"""How many schedules are listed by themselves."""


def show_status(
    console: "Console",
    overview: Overview,
    listed: Sequence[ScheduleLine],
    generations: Sequence[GenerationStanding],
    found: Sequence[Problem],
    *,
    narrowed: bool,
) -> None:
    """Write the screen; of many schedules first the problems, and then those that are ``listed``."""
    console.print(f"{when(overview.database_time)} by the database's clock", style="dim")
    are_many = len(overview.schedules) > MOST
    if are_many:
        _show_problems(console, found)
    _show_replicas(console, overview.replicas)
    if generations:
        console.print(generation_table(generations))
        print_sentences(console, sentences(generations))
    if narrowed and not listed:
        say(console, "There are no such schedules.")
    _show_schedules(console, listed, overview.database_time)
    _show_running(console, overview.running)
    _show_waiting(console, overview)
    for one in overview.backfills:
        say(console, one.in_words, hang=2)
    if overview.retired:
        say(console, f"Retired in the last day: {_retired(overview.retired)}", hang=2)
    if are_many:
        say(console, f"{_counts(overview.schedules)}; --all lists them, --tag and --state some")
    else:
        _show_problems(console, found)


def _show_replicas(console: "Console", found: Sequence[ReplicaLine]) -> None:
    if found:
        columns = ("replica", "application", "state", "since", "last seen")
        replicas = table(*columns, spare=("since",), unless_one=("application",))
        for one in found:
            cells = (state_cell(one.state), when(one.started_at), ago(one.seen_ago))
            add(replicas, f"{one.host}:{one.pid}", one.application, *cells)
        console.print(replicas)
        print_sentences(console, releases_live(found))


def _show_waiting(console: "Console", overview: Overview) -> None:
    shown = overview.waiting[:3]
    if shown:  # of those that are counted, all may have begun since
        named = naming(overview)
        said = [f"run {run.run_id} of {named(run)} {run.why_text or ''}".rstrip() for run in shown]
        more = overview.waiting_count - len(shown)
        say(console, f"Waiting: {'; '.join([*said, *([f'{number(more)} more'] if more > 0 else [])])}", hang=2)


def _retired(found: Iterable[RetiredSchedule]) -> str:
    """Return what was retired, by what: ``nightly, hourly (by generation 2 at …)``."""
    together: dict[tuple[str, str], list[str]] = {}
    for one in found:
        together.setdefault((one.application, one.how.removeprefix("retired ")), []).append(one.schedule)
    return "; ".join(f"{listed(names)} ({how})" for (_, how), names in together.items())


def _show_problems(console: "Console", found: Sequence[Problem]) -> None:
    print_sentences(console, (f"{problem.kind}: {problem.text}" for problem in found[:MOST]), style="red")
    if left := len(found[MOST:]):
        say(console, f"and {number(left)} more problem{'' if left == 1 else 's'}; --json has them all", "red")
    if not found:
        say(console, "Nothing is late, stuck or failing.", "green")


def needed(overview: Overview, found: Sequence[Problem]) -> Sequence[ScheduleLine]:
    """Return the schedules to list: all, or if they are many, those with problems, those at work and those paused."""
    if len(overview.schedules) <= MOST:
        return overview.schedules
    concerned = {(problem.application, problem.schedule) for problem in found}
    concerned |= {(run.application, run.schedule) for run in overview.running}
    concerned |= {(line.application, line.schedule) for line in overview.schedules if line.paused_at is not None}
    return [line for line in overview.schedules if (line.application, line.schedule) in concerned][:MOST]


def only(
    schedules: Sequence[ScheduleLine], state: str | None, tagged: Collection[tuple[str, str]] | None
) -> list[ScheduleLine]:
    """Return the schedules whose last run is in ``state``, and that are ``tagged``; None is any."""
    return [
        line
        for line in schedules
        if (state is None or line.last_state == state)
        and (tagged is None or (line.application, line.schedule) in tagged)
    ]


def _counts(schedules: Sequence[ScheduleLine]) -> str:
    counts = Counter(line.last_state or "no run yet" for line in schedules)
    states = ", ".join(f"{number(count)} {state}" for state, count in sorted(counts.items()))
    return f"{number(len(schedules))} schedules in all (last runs: {states})"


def _show_schedules(console: "Console", found: Sequence[ScheduleLine], now: datetime) -> None:
    if found:
        columns = ["schedule", "application", "when", "next due", "last run", "state", "took"]
        are_left_out = any(_left_out(line.left_out) for line in found)
        columns += ["left out"] if are_left_out else []
        schedules = table(
            *columns,
            right=("took",),
            wraps=("next due", "left out"),
            spare=("took", "when"),
            unless_one=("application",),
        )
        for line in found:
            last = ", ".join(
                filter(None, (str(line.last_run_id or ""), when(line.last_started_at or line.last_finished_at)))
            )
            add(
                schedules,
                line.schedule,
                line.application,
                line.timing,
                _next(line, now),
                last,
                state_cell(line.last_state),
                lasted(line.last_seconds),
                *([_left_out(line.left_out)] if are_left_out else []),
            )
        console.print(schedules)


def _left_out(left_out: LeftOut) -> str:
    """Return what a schedule left out: ``36 missed in 24h, 2 of 30 skipped``."""
    missed = f"{number(left_out.missed)} missed in 24h" if left_out.missed else ""
    of = f"{left_out.overlapped} of {left_out.latest} skipped" if left_out.overlapped else ""
    return ", ".join(filter(None, (missed, of)))


def _show_running(console: "Console", found: Sequence[RunningRun]) -> None:
    if found:
        shown = table(
            *("run", "application", "schedule", "job", "progress", "for", "token", "holder"),
            right=("run", "for", "token"),
            wraps=("job", "progress"),
            spare=("token", "progress", "for"),
            unless_one=("application",),
        )
        for run in found:
            job = f"{run.job.job} (attempt {run.job.attempt})" if run.job else "between jobs"
            job += f", cancelled by {run.cancelled_by}" if run.cancelled_by else ""
            cells = (job, _progress(run), lasted(run.running_for), run.token, _holder(run))
            add(shown, run.run_id, run.application, run.schedule, *cells)
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
    named, left = f"run {run.run_id} of {run.schedule}", run.usually_ends_in
    if left is None:
        return named
    return f"{named} ({'usually ends' if left > 0 else 'would usually have ended'} {ago(-left)})"


def _next(line: ScheduleLine, now: datetime) -> str:
    if line.paused_at is not None:
        by = f" by {line.paused_by}" if line.paused_by else ""
        until = f" until {_soon(line.paused_until, now)}" if line.paused_until else ""
        return f"paused{by}{until}" + (f": {line.paused_why}" if line.paused_why else "")
    if not line.enabled:
        return "disabled"
    never = ON_REQUEST if line.timing == ON_REQUEST else "never"
    return never if line.due_in is None else ago(-line.due_in)


def _soon(instant: datetime, now: datetime) -> str:
    """Return an instant in UTC, by its day of the week where that is enough: ``Mon 08:00Z``."""
    return f"{instant.astimezone(UTC):%a %H:%M}Z" if instant - now < _DAYS_BY_NAME else when(instant)


def _progress(run: RunningRun) -> str:
    job = run.job
    if job is None or job.done is None:
        return job.message or "" if job else ""
    far = number(job.done) if job.total is None else f"{number(job.done)} of {number(job.total)}"
    return f"{far}, {job.message}" if job.message else far


def _holder(run: RunningRun) -> str:
    return f"{run.host}:{run.pid}" if run.host else run.holder
