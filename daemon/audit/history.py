"""The history in the daemon's own tables, as of one moment."""

import json
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, cast

from sqlalchemy import Connection, Row

from lease.database.backend import backend_of
from lease.model import Grant

from ..definitions.schedule import Schedule, UnreadableDefinition, read_schedule
from ..scheduling.plan import first_state
from ..states import QUEUES_OF_PRIORITY, UNFINISHED, JobState
from ..store import statements
from . import facts
from .facts import Due, Fact, GrantBegan
from .promises import RECOVERED_WITHIN

# The grants for which the rows of runs, job runs and leases give evidence
#
# A grant is in force from the start of its first job run to the last moment at which the tables show that it had not
# ended: the start of a job, or an end that its holder wrote, since both are written under the grant. When an abandoned
# or stopped attempt ended is unknown: the lease may have been granted to another replica before that was noticed.
#
# The name under which a token was granted is certain for the grant of a running run, and for the grant under which a
# run ended. For a run's earlier grants it is certain only if the schedule has not changed since the run was created,
# because the lease of a waiting run is renamed; and not at all if its runs share the slots of a lock, for each claim
# puts it under another one.
#
# Times that were written while the machine's clock was set wrong are no evidence. SQLite uses the wall clock of the
# process that writes, and has one writer at a time, so that the order of the rows is the order in which they were
# written: a time that is minutes out of order says nothing about what happened. PostgreSQL has a clock of its own, and
# its times are not examined.

_Seen = dict[Grant, tuple[datetime, datetime]]
"""The first and the last moment at which a grant is known to have been in force."""
_ENDED_BY_ITS_HOLDER: tuple[JobState, ...] = ("succeeded", "failed", "not started")


def evidence(
    tables: "Tables",
    jobs: Mapping[int, Sequence[Row[Any]]],
    schedules: Mapping[tuple[str, str], Row[Any]],
    unsure: Container[int],
) -> Iterator[Fact]:
    """Yield each grant with the last moment at which it was in force, and the tokens of the leases.

    The job runs ``unsure`` have times that cannot be true. If the times are those of a wall clock, a lease without any
    job was granted about now, or else the clock was set: then its time is not used.
    """
    seen: _Seen = {}
    names: set[str] = set()
    for run in tables.runs:
        names.add(run.lease_name)
        has_slots = run.queue is not None and run.queue not in QUEUES_OF_PRIORITY
        unchanged = not has_slots and schedules[run.application, run.schedule].changed_at <= run.created_at
        for job in jobs.get(run.id, ()):
            is_present = run.state != "pending" and (run.token, run.holder) == (job.token, job.holder)
            if job.id not in unsure and (unchanged or is_present):
                last = job.finished_at if job.state in _ENDED_BY_ITS_HOLDER else job.started_at
                _see(seen, Grant(run.lease_name, job.token, job.holder), job.started_at, last)
    held: set[Grant] = set()
    standing: dict[str, int] = {}
    for row in tables.leases:
        if row.name in names:
            standing[row.name] = row.token
            if row.holder is not None:
                grant, at = Grant(row.name, row.token, row.holder), row.granted_at
                held.add(grant)
                if at is not None and (not tables.wall_clock or abs(at - tables.at) < MINUTES):
                    _see(seen, grant, at, at)
    for grant, (first, last) in seen.items():
        yield GrantBegan(grant, first)
        if grant not in held:
            yield facts.GrantEnded(grant, last)
    for name, token in standing.items():
        yield facts.HighestToken(name, token)
    for name in sorted({grant.name for grant in seen} - standing.keys()):
        yield facts.Deleted(name)


def _see(seen: _Seen, grant: Grant, first: datetime, last: datetime) -> None:
    before, after = seen.get(grant, (first, last))
    seen[grant] = min(before, first), max(after, last)


MINUTES = timedelta(minutes=10)
"""A smaller step does not count as a clock that was set."""


def wrongly_timed(job_runs: Sequence[Row[Any]], at: datetime) -> frozenset[int]:
    """Return the ids of job runs, given in the order of writing, whose times cannot be true."""
    wrong, possible = set[int](), []
    for row in job_runs:
        ended = row.finished_at or row.started_at
        if ended > at + MINUTES or ended < row.started_at - MINUTES:  # in the future, or before it started
            wrong.add(row.id)
        else:
            possible.append(row)
    starts = [row.started_at for row in possible]
    kept = _longest_in_order(starts)
    for index, (row, start) in enumerate(zip(possible, starts, strict=True)):
        place = bisect_right(kept, index)
        before = starts[kept[place - 1]] if place else start
        after = starts[kept[place]] if place < len(kept) else start
        if start < before - MINUTES or start > after + MINUTES:
            wrong.add(row.id)
    return frozenset(wrong)


def _longest_in_order(times: Sequence[datetime]) -> list[int]:
    """Return the indexes of the longest subsequence of times in order (patience sorting)."""
    ends: list[datetime] = []  # of the subsequences of each length, the smallest last time
    last: list[int] = []
    before: list[int] = []
    for index, time in enumerate(times):
        length = bisect_right(ends, time)
        before.append(last[length - 1] if length else -1)
        if length == len(ends):
            ends.append(time)
            last.append(index)
        else:
            ends[length], last[length] = time, index
    found = []
    index = last[-1] if last else -1
    while index >= 0:
        found.append(index)
        index = before[index]
    return found[::-1]


# The history

MOST_INSTANTS = 100_000
"""The most instants of a schedule, the latest, that are compared with its runs."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The rows that the audit reads, as of one moment by the database's clock."""

    at: datetime
    schedules: Sequence[Row[Any]]
    runs: Sequence[Row[Any]]
    job_runs: Sequence[Row[Any]]
    backfills: Sequence[Row[Any]]
    leases: Sequence[Row[Any]]
    stranded: Sequence[Row[Any]]
    wall_clock: bool
    """Times are those of the writing process's wall clock (SQLite)."""


@dataclass(frozen=True, slots=True)
class History:
    """The facts in the tables, for the checker."""

    at: datetime
    facts: tuple[Fact, ...]
    schedules: int
    runs: int
    instants: int
    grants: int
    since: datetime | None
    """When the first of the runs was created."""
    remarks: tuple[str, ...]
    """What the audit could not compare, with the reason."""


def read_tables(connection: Connection, application: str | None = None) -> Tables:
    """Return the rows from one snapshot: what replicas write meanwhile is not in it.

    The connection must be in autocommit. ``application`` restricts schedules and runs, not leases.
    """
    with statements.audit.snapshot(connection):
        return Tables(
            at=statements.schedule.database_time(connection),
            schedules=statements.audit.schedules(connection, application),
            runs=statements.audit.runs(connection, application),
            job_runs=statements.audit.job_runs(connection, application),
            backfills=statements.audit.backfills(connection, application),
            leases=statements.audit.leases(connection),
            stranded=statements.audit.stranded(connection, application, RECOVERED_WITHIN.total_seconds()),
            wall_clock=not backend_of(connection).has_own_clock,
        )


def history(tables: Tables) -> History:
    """Return the history, with the latest `MOST_INSTANTS` of each schedule. Pure."""
    made = [row for row in tables.job_runs if row.carried_from is None]  # what a retry took over says nothing of grants
    jobs = _by_run(made)
    schedules = {(row.application, row.name): row for row in tables.schedules}
    remarks: list[str] = []
    unsure = wrongly_timed(made, tables.at) if tables.wall_clock else frozenset()
    if unsure:
        remarks.append(
            f"{len(unsure)} attempts have times that are out of order, as after the machine's clock was set; "
            "these were not compared"
        )
    if pruned := [row for row in tables.schedules if row.pruned_until is not None]:
        of = f'"{pruned[0].application}/{pruned[0].name}"' if len(pruned) == 1 else f"{len(pruned):,} schedules"
        remarks.append(
            f"runs of {of} were pruned because of keep; scheduled times up to the last of these were not compared"
        )
    found = (
        *evidence(tables, jobs, schedules, unsure),
        *(
            facts.RunStranded(
                row.id,
                Grant(row.lease_name, row.token, row.holder),
                since=tables.at - timedelta(seconds=row.seconds),
                at=tables.at,
            )
            for row in tables.stranded
        ),
        *_expected_facts(schedules, remarks),
        *records(tables.runs, _by_run(tables.job_runs), schedules),
        *backfills(tables.backfills, schedules),
        *marks(tables.runs, jobs, wall_clock=tables.wall_clock),
    )
    number = Counter(map(type, found))
    return History(
        *(tables.at, found, len(schedules), len(tables.runs), number[Due], number[GrantBegan]),
        since=min((row.created_at for row in tables.runs), default=None),
        remarks=tuple(remarks),
    )


def _by_run(job_runs: Sequence[Row[Any]]) -> Mapping[int, Sequence[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in job_runs:
        found[row.run_id].append(row)
    return found


def _expected_facts(schedules: Mapping[tuple[str, str], Row[Any]], remarks: list[str]) -> Iterator[Fact]:
    for (application, name), row in schedules.items():
        label = f"{application}/{name}"
        try:
            schedule = read_schedule(row.definition)
        except UnreadableDefinition as error:
            remarks.append(f'the scheduled times of "{label}" were not compared: {error}')
            continue
        found, capped = _latest(schedule, _counts_from(row, schedule), row.planned_until, row.anchor)
        if capped:
            remarks.append(f'only the latest {MOST_INSTANTS:,} scheduled times of "{label}" were compared')
        yield from (Due(label, instant) for instant in found)
        if row.retired_at is None:
            following = next(schedule.instants(row.planned_until, row.anchor), None)
            yield facts.ScheduleProgress(label, row.planned_until, row.next_due, following)


def records(
    runs: Sequence[Row[Any]], jobs: Mapping[int, Sequence[Row[Any]]], schedules: Mapping[tuple[str, str], Row[Any]]
) -> Iterator[facts.Recorded]:
    """Yield a fact for each run.

    It names the jobs that the run must do only where they are certain: the run uses the present
    definition (rule 22). A run of 0.1.0 does not say which one it uses: then that has not changed since,
    and the holder that ended it is known to have that job.
    """
    defined = {key: _job_names(row.definition) for key, row in schedules.items()}
    known: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)  # the jobs that each holder has started
    for run in runs:
        for job in jobs.get(run.id, ()):
            if job.state != "not started" and job.carried_from is None:
                known[run.application, run.schedule, job.holder].add(job.job)
    retry_of = {run.id: run.retry_of for run in runs}
    by_id = {job.id: job for of_run in jobs.values() for job in of_run}
    for run in runs:
        key = (run.application, run.schedule)
        attempts = [job for job in jobs.get(run.id, ()) if job.carried_from is None]
        carried = [job for job in jobs.get(run.id, ()) if job.carried_from is not None]
        attempted = tuple(dict.fromkeys(job.job for job in attempts if job.state != "not started"))
        by_it = run.digest is not None and run.digest == schedules[key].run_digest
        expected = _expected(run, schedules[key], defined[key], known[*key, run.holder])
        yield facts.Recorded(
            run=run.id,
            schedule="/".join(key),
            first=run.scheduled_for,
            last=run.last_scheduled_for or run.scheduled_for,
            count=cast("int", run.count),  # the column, although a Row is typed as a tuple
            state=run.state,
            over=run.state not in UNFINISHED,
            manual=run.trigger == "manual",
            succeeded=Counter(job.job for job in attempts if job.state == "succeeded"),
            jobs=expected,
            attempted=attempted,
            left_running=tuple(
                job.job
                for job in attempts
                if job.state == "running" and (run.state, run.token, run.holder) != ("running", job.token, job.holder)
            ),
            # Before an adoption, another definition may have had them.
            strange=tuple(job for job in attempted if job not in expected)
            if by_it and expected and run.adopted_from is None
            else (),
            retry_of=run.retry_of,
            backfill=run.backfill,
            carried=tuple(job.job for job in carried),
            not_done=_not_done(run, carried, retry_of, by_id),
        )


def backfills(
    rows: Iterable[Row[Any]], schedules: Mapping[tuple[str, str], Row[Any]]
) -> Iterator[facts.BackfillRecorded]:
    """Yield a fact for each backfill of which no run may have been pruned."""
    for row in rows:
        key = (row.application, row.schedule)
        pruned = schedules[key].pruned_until
        if pruned is None or pruned < row.first:
            yield facts.BackfillRecorded(row.id, "/".join(key), row.first, row.last, row.at_most, row.instants)


def _expected(
    run: Row[Any], schedule: Row[Any], defined: tuple[str, ...], known: Container[str]
) -> tuple[str, ...] | None:
    """Return the jobs that a run must do; None where they are not certain."""
    if run.digest is not None:
        return defined if run.digest == schedule.run_digest else None
    if schedule.changed_at <= run.created_at:
        return tuple(job for job in defined if job in known)
    return None


def marks(
    runs: Sequence[Row[Any]], jobs: Mapping[int, Sequence[Row[Any]]], *, wall_clock: bool
) -> Iterator[facts.RunMarked]:
    """Yield a fact for each run that was marked as cancelled.

    By a wall clock, which may have been set between the two, it is not certain that an attempt started after the end.
    """
    starts = {} if wall_clock else {run.id: run.started_at for run in runs}
    for run in runs:
        if run.cancelled_at is not None:
            started = (
                [] if wall_clock else [job.started_at for job in jobs.get(run.id, ()) if job.state != "not started"]
            )
            yield facts.RunMarked(
                run=run.id,
                schedule=f"{run.application}/{run.schedule}",
                at=run.cancelled_at,
                state=run.state,
                ended=run.finished_at,
                last_start=max(started, default=None),
                replaced_by=run.replaced_by,
                newer_start=starts.get(run.replaced_by),
            )


def _job_names(definition: str) -> tuple[str, ...]:
    try:
        return tuple(job["name"] for job in json.loads(definition)["jobs"])
    except (KeyError, TypeError, ValueError):  # a newer release wrote it
        return ()


def _not_done(
    run: Row[Any], carried: Sequence[Row[Any]], retry_of: Mapping[int, int | None], attempts: Mapping[int, Row[Any]]
) -> tuple[str, ...]:
    """Return the jobs that a run took over as done, although none of the runs before it has done them; what was
    pruned is believed.
    """
    before, number = set[int](), run.retry_of
    while carried and number in retry_of and number not in before:
        before.add(number)
        number = retry_of[number]
    whole = all(retry_of[one] is None or retry_of[one] in before for one in before)
    found = []
    for job in carried:
        if (done := attempts.get(job.carried_from)) is not None:
            is_success = done.state == "succeeded" and done.carried_from is None and done.job == job.job
            if not is_success or (whole and done.run_id not in before):
                found.append(job.job)
    return tuple(found)


AFTER_A_CHANGE = timedelta(seconds=15)
"""The time after a change in which instants may have been planned by the old definition.

A sync reads the time and then waits for planning in progress, so that a changed definition counts
from later than its anchor; how much later is not recorded. The wait is shorter than this.
"""


def _counts_from(row: Any, schedule: Schedule) -> datetime:
    """Return the instant after which the stored definition decides, and every instant has its run.

    The anchor is when its timing was first seen, or changed; runs of instants up to ``pruned_until`` may be gone.
    """
    anchor: datetime = row.anchor
    decides = first_state(schedule, anchor).planned_until if anchor == row.created_at else anchor + AFTER_A_CHANGE
    return decides if row.pruned_until is None else max(decides, row.pruned_until)


def _latest(schedule: Schedule, after: datetime, until: datetime, anchor: datetime) -> tuple[list[datetime], bool]:
    """Return the latest `MOST_INSTANTS` up to ``until``, and whether there are more.

    It looks back in growing steps, because enumerating years of instants would take too long.
    """
    span = timedelta(days=1)
    while True:
        all_of_it = until - after <= span
        begin = after if all_of_it else until - span
        found = deque(takewhile(lambda instant: instant <= until, schedule.instants(begin, anchor)), MOST_INSTANTS + 1)
        if all_of_it or len(found) > MOST_INSTANTS:
            return list(found)[-MOST_INSTANTS:], len(found) > MOST_INSTANTS
        span *= 4
