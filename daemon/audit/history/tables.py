"""The history in the daemon's own tables, as of one moment."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from lease.database.backend import backend_of
from lease.model import Grant

from ...definitions.codec import UnreadableDefinition, read_schedule
from ...store import statements
from ..facts import Due, Fact, GrantBegan, Recorded, RunStranded
from ..promises import Bounds
from .evidence import evidence
from .expectation import expectation
from .moved_clock import wrongly_timed
from .records import backfills, marks, records

RECOVERED_WITHIN = timedelta(seconds=60)
"""A live replica settles stale leases in a second or two, plus at most 30 s of an open fence."""
BOUNDS = Bounds(recovery=RECOVERED_WITHIN, tolerance=timedelta(seconds=2))
"""By rule 1 the database's clock may step by ttl - give_up - kill_time, which is 2 s by default."""
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
    since: datetime | None
    """When the first of the runs was created."""
    remarks: tuple[str, ...]
    """What could not be compared, and why."""

    @property
    def grants(self) -> int:
        return self._number(GrantBegan)

    @property
    def runs(self) -> int:
        return self._number(Recorded)

    @property
    def instants(self) -> int:
        return self._number(Due)

    def _number(self, kind: type[Fact]) -> int:
        return sum(isinstance(fact, kind) for fact in self.facts)


def read_tables(connection: Connection, application: str | None = None) -> Tables:
    """Return the rows from one snapshot, which replicas at work do not disturb.

    The connection must be in autocommit. ``application`` restricts schedules and runs, not leases.
    """
    within = RECOVERED_WITHIN.total_seconds()
    with statements.audit.snapshot(connection):
        return Tables(
            at=statements.schedule.database_time(connection),
            schedules=statements.audit.schedules(connection, application),
            runs=statements.audit.runs(connection, application),
            job_runs=statements.audit.job_runs(connection, application),
            backfills=statements.audit.backfills(connection, application),
            leases=statements.audit.leases(connection),
            stranded=statements.audit.stranded(connection, application, within),
            wall_clock=not backend_of(connection).has_own_clock,
        )


def history(tables: Tables, most: int = MOST_INSTANTS) -> History:
    """Return the history, with the latest ``most`` instants of each schedule. Pure."""
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
    facts = (
        *evidence(
            tables.runs, jobs, schedules, tables.leases, unsure, wall_clock_at=tables.at if tables.wall_clock else None
        ),
        *_stranded(tables),
        *_expected(schedules, most, remarks),
        *records(tables.runs, _by_run(tables.job_runs), schedules),
        *backfills(tables.backfills, schedules),
        *marks(tables.runs, jobs, wall_clock=tables.wall_clock),
    )
    since = min((row.created_at for row in tables.runs), default=None)
    return History(tables.at, facts, len(schedules), since, tuple(remarks))


def _by_run(job_runs: Sequence[Row[Any]]) -> Mapping[int, Sequence[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in job_runs:
        found[row.run_id].append(row)
    return found


def _expected(schedules: Mapping[tuple[str, str], Row[Any]], most: int, remarks: list[str]) -> Iterator[Fact]:
    for (application, name), row in schedules.items():
        label = f"{application}/{name}"
        try:
            expected = expectation(label, row, read_schedule(row.definition), most)
        except UnreadableDefinition as error:
            remarks.append(f'the scheduled times of "{label}" were not compared: {error}')
            continue
        if expected.capped:
            remarks.append(f'only the latest {most:,} scheduled times of "{label}" were compared')
        yield from expected.facts


def _stranded(tables: Tables) -> Iterator[Fact]:
    for row in tables.stranded:
        grant = Grant(row.lease_name, row.token, row.holder)
        yield RunStranded(row.id, grant, tables.at - timedelta(seconds=row.seconds), tables.at)
