"""A history of any length: runs that have succeeded, an attempt each, of all schedules in turn, the oldest first; what is watched
while it is pruned (who waits for a lock, and how large the tables are); and the work of replicas meanwhile.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from statistics import mean, median
from threading import Event, Thread
from typing import Any, Self

import psycopg
from sqlalchemy import (
    ColumnElement,
    Double,
    Engine,
    Insert,
    Integer,
    Text,
    cast,
    create_engine,
    exists,
    func,
    insert,
    literal,
    select,
)

from daemon.operations.trigger import trigger
from daemon.store.tables import job_run, run
from lease.database.dialects import Instant, later, now, seconds_between
from tests.support.postgres import plain
from tests.support.replicas import Story
from tests.support.waiting import wait_until

APPLICATION = "pruning"
DAY = 86_400.0
OLD = (60.0, 31.0)
"""The runs that are no longer kept ended between so many days before now."""
KEPT = (29.0, 1.0)
"""And those that are."""
_HOLDER = "long-gone"


def name_of(number: int) -> str:
    """Return the name of a schedule."""
    return f"s{number:03}"


def fill(engine: Engine, schedules: int, runs: int, old: int) -> None:
    """Write so many runs, of which the first ``old`` ones are no longer kept, into tables that have none.

    On PostgreSQL the indexes are built afterwards, which takes a quarter of the time.
    """
    is_postgresql = engine.dialect.name == "postgresql"
    indexes = sorted(run.indexes, key=lambda index: str(index.name)) if is_postgresql else []
    with engine.begin() as connection:
        if is_postgresql:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # no check of foreign keys
            connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '1GB'")
        for index in indexes:
            index.drop(connection)
        moment = connection.scalars(select(now())).one()
        for first, number, days in ((0, old, OLD), (old, runs - old, KEPT)):
            connection.execute(_runs(schedules, first, number, days, moment))
        connection.execute(_attempts())
        for index in indexes:
            index.create(connection)
    settle(engine)


def settle(engine: Engine) -> None:
    """Do what autovacuum does after a while."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE)")


def _runs(schedules: int, first: int, number: int, days: tuple[float, float], moment: datetime) -> Insert:
    """Return the insertion of so many runs, which ended between these days before now, one after the other."""
    counted = select(literal(0).label("n")).cte("counted", recursive=True)
    counted = counted.union_all(select(counted.c.n + 1).where(counted.c.n < number - 1))
    age = days[0] - cast(counted.c.n, Double) * ((days[0] - days[1]) / number)
    at = later(literal(moment, Instant()), -DAY * age)
    name = literal("s") + func.substr(cast(1000 + (counted.c.n + first) % schedules, Text), 2)
    values: dict[str, ColumnElement[Any]] = {
        "application": literal(APPLICATION),
        "schedule": name,
        "trigger": literal("schedule"),
        "state": literal("succeeded"),
        "lease_name": literal(f"run/{APPLICATION}/") + name,
        "digest": literal("0" * 64),
        "token": literal(1),
        "holder": literal(_HOLDER),
        "attempt": literal(1),
        "claimed_attempt": literal(1),
        **dict.fromkeys(("scheduled_for", "available_at", "created_at", "started_at", "finished_at"), at),
    }
    return insert(run).from_select(list(values), select(*values.values()).select_from(counted).order_by(counted.c.n))


def _attempts() -> Insert:
    values: dict[str, ColumnElement[Any]] = {
        "run_id": run.c.id,
        "job": literal("nothing"),
        "position": literal(0, Integer),
        "attempt": literal(1, Integer),
        "state": literal("succeeded"),
        "token": run.c.token,
        "holder": run.c.holder,
        "started_at": run.c.started_at,
        "finished_at": run.c.finished_at,
    }
    return insert(job_run).from_select(list(values), select(*values.values()).order_by(run.c.id))


TABLES = ("run", "job_run")
EVERY = 0.02
"""Seconds between two looks at who waits."""
_WAITING = """
    SELECT waits.application_name = 'pruner' OR has.application_name = 'pruner', waits.wait_event, waits.query
    FROM pg_stat_activity AS waits
    LEFT JOIN LATERAL unnest(pg_blocking_pids(waits.pid)) AS holder ON true
    LEFT JOIN pg_stat_activity AS has ON has.pid = holder
    WHERE waits.datname = current_database() AND waits.wait_event_type = 'Lock'
"""


class LockWaits:
    """Notes during a block which statements of a PostgreSQL wait for a lock of another; nothing on SQLite."""

    def __init__(self, engine: Engine) -> None:
        self.of_pruner = Counter[str]()
        """Looks at which the pruner waited, or somebody waited for it, by what for and with which statement."""
        self.of_others = Counter[str]()
        self.looks = 0
        is_postgresql = engine.dialect.name == "postgresql"
        self._url = plain(engine.url.render_as_string(hide_password=False)) if is_postgresql else None
        self._ended = Event()
        self._thread = Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def __str__(self) -> str:
        of_pruner, of_others = self.of_pruner.total(), self.of_others.total()
        return (
            f"{self.looks:,} looks at who waits for a lock: {of_pruner} on account of pruning, {of_others} for others"
        )

    def _watch(self) -> None:
        if self._url is None:
            return
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._ended.wait(EVERY):
                self.looks += 1
                for is_of_pruner, event, query in connection.execute(_WAITING):
                    (self.of_pruner if is_of_pruner else self.of_others)[f"{event}: {query[:120]}"] += 1


def sizes(engine: Engine) -> dict[str, int]:
    """Return the bytes of each table and of its indexes; on SQLite of the file."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            parts = {"": "pg_relation_size", " (indexes)": "pg_indexes_size"}
            return {
                table + of: int(connection.exec_driver_sql(f"SELECT {size}('{table}')").scalar_one())
                for table in TABLES
                for of, size in parts.items()
            }
        pages, size = (connection.exec_driver_sql(f"PRAGMA {one}").scalar_one() for one in ("page_count", "page_size"))
        return {"file": int(pages) * int(size)}


AT_ONCE = 9
"""Runs that are requested at one moment: three for each replica."""
_UNFINISHED = select(exists().where(run.c.state.in_(["pending", "running"])))


class Claims:
    """For how many seconds runs that might start waited until they were claimed, in rounds."""

    def __init__(self) -> None:
        self.rounds: list[list[float]] = []

    def add(self, seconds: Sequence[float]) -> None:
        self.rounds.append([*seconds])

    @property
    def mean(self) -> float:
        return mean(one for seconds in self.rounds for one in seconds)

    def share(self, share: float) -> float:
        """Return the least time that this share of them does not exceed."""
        ordered = sorted(one for seconds in self.rounds for one in seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def against(self, others: Self) -> float:
        """Return how many times as long they took as others, with which they were measured in turns: the median of
        the rounds.
        """
        return median(mean(these) / mean(those) for these, those in zip(self.rounds, others.rounds, strict=False))

    def __str__(self) -> str:
        number = sum(map(len, self.rounds))
        of = (
            f"mean {1000 * self.mean:.1f} ms, p50 {1000 * self.share(0.5):.1f} ms, p95 {1000 * self.share(0.95):.1f} ms"
        )
        return f"{number:,} claims, {of}"


class Work:
    """The work of a story, by way of one connection."""

    def __init__(self, story: Story, schedules: int) -> None:
        self.runs = 0
        """So many were requested until now."""
        self._schedules = schedules
        self._engine = create_engine(story.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def measure(self, rounds: int) -> list[float]:
        """Let runs be executed, so many rounds of them; return for how many seconds each waited for its claim."""
        ids = [run_id for _ in range(rounds) for run_id in self._round()]
        waited = select(seconds_between(run.c.available_at, run.c.started_at), run.c.state)
        with self._engine.connect() as connection:
            rows = connection.execute(waited.where(run.c.id >= ids[0], run.c.id <= ids[-1])).all()
        assert [state for _, state in rows] == ["succeeded"] * len(ids)
        return [seconds for seconds, _ in rows]

    def _round(self) -> list[int]:
        names = sorted({name_of((self.runs + number) % self._schedules) for number in range(AT_ONCE)})
        self.runs += len(names)
        with self._engine.begin() as connection:
            ids = [trigger(connection, APPLICATION, name, requested_by="a test") for name in names]
        wait_until(self._is_over, "these runs are over")
        return ids

    def _is_over(self) -> bool:
        with self._engine.connect() as connection:
            return not connection.scalar(_UNFINISHED)
