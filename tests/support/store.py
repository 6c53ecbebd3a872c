"""The daemon's tables in a test, where time passes by changing the stored times."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Row,
    Select,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.pool import NullPool

import lease.statements
from daemon.definitions.application import Application, Known
from daemon.definitions.schedule import Job, Schedule, read_schedule
from daemon.definitions.triggers.trigger import At, Cron, Every, OnRequest, Trigger
from daemon.execution.claim import ClaimedRun, claim
from daemon.scheduling.deploys.sync import SyncReport, sync
from daemon.scheduling.plan import lease_name
from daemon.scheduling.plan_due import PlanReport, plan_due
from daemon.store.tables import act, backfill, job_run, run, schedule
from lease.database.dialects import clock, later, now
from lease.model import Grant
from lease.schema import lease as leases
from tests.support.databases import engine_on

T = TypeVar("T")
P = ParamSpec("P")

BLOCKED = """
SELECT count(*) FROM pg_locks AS wanted WHERE NOT granted AND EXISTS (
    SELECT FROM pg_locks AS other JOIN pg_database ON pg_database.oid = other.database
    WHERE other.pid = wanted.pid AND datname = current_database())
"""
"""How many wait for a lock in this database; by no view of activity, which shows a transaction one moment only."""
PAST = datetime(2020, 1, 1, tzinfo=UTC)
TTL = 15.0
MOMENTS: Mapping[Table, Sequence[str]] = {
    schedule: [
        "planned_until",
        "anchor",
        "next_due",
        "stretch_from",
        "paused_at",
        "paused_until",
        "changed_at",
        "synced_at",
        "created_at",
    ],
    run: ("scheduled_for", "last_scheduled_for"),
    act: ("acted_at",),
    backfill: ("first", "last"),
}
"""What `Store.pass_time` sets back: what planning goes by."""


_COMPILED: dict[Any, Any] = {}


@cache
def _dialect() -> Dialect:
    """Return the dialect that all stores on SQLite share: by it SQLAlchemy finds again what it has compiled, which takes
    longer than most tests.
    """
    engine = create_engine("sqlite://", isolation_level="AUTOCOMMIT")
    with engine.connect():
        pass  # it has asked what the database can do
    engine.dispose()
    return engine.dialect


def _sqlite_engine(url: str) -> Engine:
    connect: Any = partial(sqlite3.connect, make_url(url).database or "", isolation_level=None, check_same_thread=False)
    pool = NullPool(connect, dialect=_dialect())
    return Engine(pool, _dialect(), make_url(url), execution_options={"compiled_cache": _COMPILED})


class Store:
    """A database, and what tests do with it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sqlite = url.startswith("sqlite")
        if self.sqlite:
            self.engine = _sqlite_engine(url)
        else:
            self.engine = engine_on(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.sqlite:  # PostgreSQL's outlives the test: `engine_on`
            self.engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction, as `lease.database.database.Database.write` does."""
        with self.engine.connect() as connection:
            if not self.sqlite:
                with connection.begin():
                    yield connection
                return
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    def do(self, unit: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``unit`` in a transaction, and commit it."""
        with self.begin() as connection:
            return unit(connection, *args, **kwargs)

    def sent(self) -> AbstractContextManager[list[str]]:
        """Note the statements that are sent meanwhile."""
        return statements_on(self.engine)

    # What tests need again and again

    def sync(self, *schedules: Schedule, application: str = "shop") -> SyncReport:
        return self.do(sync, an_application(*schedules, name=application))

    def due_again(self, name: str, seconds: float = 1.0, application: str = "shop") -> None:
        """Make a schedule due so many seconds ago, as if it had been planned until just before."""
        self.shift(schedule, schedule.c.name == name, schedule.c.application == application, next_due=-seconds)

    def plan(self, *schedules: Schedule, application: str = "shop") -> PlanReport:
        return self.do(plan_due, application, {one.name: one for one in schedules})

    def planned(self, *schedules: Schedule, application: str = "shop") -> Counter[str]:
        """Plan, and return how many more instants there are by state or reason."""
        before = self.instants()
        self.plan(*schedules, application=application)
        return self.instants() - before

    def instants(self) -> Counter[str]:
        """Return how many instants the runs stand for, by state or reason."""
        counts: Counter[str] = Counter()
        for row in self.runs():
            counts[row.reason or row.state] += row._mapping["count"]
        return counts

    def claim(
        self, *known: str, holder: str = "h1", limit: int = 10, application: str = "shop", ttl: float = TTL
    ) -> list[ClaimedRun]:
        own = self.known(*known, application=application)
        return self.do(claim, application, own, holder, f"label of {holder}", ttl, limit)

    def known(self, *names: str, application: str = "shop") -> Known:
        """Return what a replica knows that has the current definitions of these schedules."""
        rows = self.rows(select(schedule).where(schedule.c.application == application, schedule.c.name.in_(names)))
        queues = {row.name: queue for row in rows if (queue := read_schedule(row.definition).queue) is not None}
        return Known({row.name: row.run_digest for row in rows}, queues)

    def analyze(self) -> None:
        """Let the database gather its statistics."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")

    def shift(self, table: Any, *where: ColumnElement[bool], **seconds: float) -> None:
        """Set times to a number of seconds from now."""
        self.change(table, *where, **{name: later(now(), offset) for name, offset in seconds.items()})

    def change(self, table: Any, *where: ColumnElement[bool], **values: Any) -> None:
        """Set columns to values, as nothing in the product would."""
        self.do(lambda connection: connection.execute(update(table).where(*where).values(**values)))

    def pass_time(self, seconds: float) -> None:
        """As if so much time had gone by, of which nothing is planned yet: all moments are that much earlier."""
        back = timedelta(seconds=seconds)
        for table, names in MOMENTS.items():
            keys = [(f"its_{key.name}", key) for key in table.primary_key]
            found = [row._mapping for row in self.rows(select(table).order_by(table.c[names[0]]))]
            moved = [
                {name: row[key.name] for name, key in keys} | {name: row[name] and row[name] - back for name in names}
                for row in found
            ]
            with self.begin() as connection:
                if moved:
                    connection.execute(update(table).where(*(key == bindparam(name) for name, key in keys)), moved)

    def go_stale(self, grant: Grant) -> None:
        """Make a grant stale."""
        passed = update(leases).where(leases.c.name == grant.name).values(expires_at=later(clock(), -1.0))
        self.do(lambda connection: connection.execute(passed))

    def steal(self, grant: Grant, holder: str = "thief") -> Grant:
        """Grant the name, whose holder is stale, to another holder."""
        self.go_stale(grant)
        (stolen,) = self.do(lease.statements.grant, [grant.name], holder, TTL, label=f"label of {holder}")
        return stolen

    def rows(self, query: Select[Any]) -> list[Row[Any]]:
        return self.do(lambda connection: list(connection.execute(query)))

    def runs(self, *where: ColumnElement[bool]) -> list[Row[Any]]:
        return self.rows(select(run).where(*where).order_by(run.c.id))

    def run(self, run_id: int) -> Row[Any]:
        (row,) = self.runs(run.c.id == run_id)
        return row

    def job_runs(self) -> list[Row[Any]]:
        return self.rows(select(job_run).order_by(job_run.c.id))

    def schedules(self) -> dict[str, Row[Any]]:
        return {row.name: row for row in self.rows(select(schedule))}

    def lease(self, name: str) -> Row[Any]:
        return self.do(lambda connection: connection.execute(select(leases).where(leases.c.name == name)).one())

    def everything(self) -> list[Row[Any]]:
        """Return all rows of all tables, to see that nothing has changed."""
        tables = (leases, schedule, run, job_run)
        return self.do(
            lambda connection: [
                row for table in tables for row in connection.execute(select(table).order_by(*table.primary_key))
            ]
        )


@contextmanager
def statements_on(connection: Connection | Engine) -> Iterator[list[str]]:
    """Note the statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        sent.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(connection, "before_cursor_execute", note)


def a_schedule(name: str = "sync", trigger: Trigger | None = None, **settings: Any) -> Schedule:
    """Return a schedule that is due once an hour, with one job."""
    jobs = settings.pop("jobs", ("work",))
    made = tuple(Job(name=job, command="true") for job in jobs)
    match trigger:
        case Cron(expression):
            settings["cron"] = expression
        case At(instant):
            settings["at"] = instant
        case OnRequest():
            settings["on_request"] = True
        case _:
            settings["every"] = trigger.interval if isinstance(trigger, Every) else 3600.0
    return Schedule.model_validate({"name": name, "jobs": made, **settings})


def an_at(name: str = "once", **settings: Any) -> Schedule:
    """Return a schedule that was due once, long ago."""
    return a_schedule(name, At(PAST), **settings)


def an_application(*schedules: Schedule, name: str = "shop") -> Application:
    return Application(name, Path("schedules.py"), tuple(schedules))


def pending_runs(store: Store, schedule_: Schedule, count: int, application: str = "shop", **values: Any) -> None:
    """Insert manual runs of a schedule that may start at once, regardless of its overlap."""
    row: Mapping[str, Any] = {
        "application": application,
        "schedule": schedule_.name,
        "trigger": "manual",
        "state": "pending",
        "lease_name": lease_name(application, schedule_).base,
        "queue": lease_name(application, schedule_).queue,
        "created_at": PAST,
        "scheduled_for": PAST,
        "digest": schedule_.run_digest(),
        **values,
    }

    def unit(connection: Connection) -> None:
        for _ in range(count):
            connection.execute(insert(run).values(**{"available_at": now(), **row}))

    store.do(unit)


@contextmanager
def explained(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """Note each statement with its plan: the steps that SQLite takes, or what PostgreSQL took (it does it twice, and the first
    time is undone).
    """
    plans: list[tuple[str, Any]] = []

    def explain(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if not statement.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            return
        if connection.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.append((statement, [str(row[3]) for row in rows]))
            return
        connection.exec_driver_sql("SAVEPOINT explained")
        plan = connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters
        ).scalar_one()
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT explained")
        plans.append((statement, plan[0]["Plan"]))

    event.listen(connection, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(connection, "before_cursor_execute", explain)


def pages_of(plan: dict[str, Any]) -> int:
    """Return how many pages PostgreSQL has read or written by a plan."""
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
