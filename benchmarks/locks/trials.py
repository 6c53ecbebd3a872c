"""The parts of the benchmark, measured one after the other, each in a database of its own."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, make_url

from lease import statements
from lease.database.backend import ConnectionSettings
from lease.database.connections import connected, use_wal, write_transaction
from lease.schema import create_tables
from lease.schema import lease as leases
from tests.support.postgres import query

from ..machine import this_machine
from ..opening import own_server
from ..progress import tell
from ..stores import PostgresqlStore, SqliteStore, Store
from . import contenders, peers
from .alternation import Measured, alternate
from .contenders import Contender
from .renewals import measure_renewals
from .report import Report
from .statements import ROWS
from .waiters import HandOvers, Trial, hand_over, summary

PARTS = ("postgresql", "sqlite", "renewals", "waiters")
_OTHERS = 1_000
"""Leases of others in the table, so that plans are those of a table in use."""


@dataclass(frozen=True, slots=True)
class Size:
    """The amount of what is measured."""

    pairs: int
    renewals: int
    seconds: float
    """How long each trial of waiters lasts."""
    waiters: int


FULL = Size(pairs=1_000, renewals=20, seconds=5.0, waiters=16)
QUICK = Size(pairs=40, renewals=2, seconds=1.0, waiters=4)


def run(size: Size, parts: Sequence[str], url: str | None) -> Report:
    """Measure these parts; without a URL, on a server of our own."""
    pairs: dict[str, list[Measured]] = {}
    handed: list[HandOvers] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leased-bench-")))
        with_peers = bool({"postgresql", "waiters"}.intersection(parts))
        left_out = peers.missing() if with_peers else None
        redis = stack.enter_context(peers.redis_server()) if with_peers and left_out is None else None
        server = None if set(parts) == {"sqlite"} else PostgresqlStore(url or own_server(stack))
        if server is not None and "postgresql" in parts:
            others = () if redis is None else peers.contenders(redis)
            pairs[_title(server)] = _pairs(server, (*contenders.POSTGRESQL, *others), size.pairs)
        if "sqlite" in parts:
            files = SqliteStore(folder)
            pairs[_title(files)] = _pairs(files, contenders.SQLITE, size.pairs)
        if server is not None and "renewals" in parts:
            for number in (1_000, 10_000):
                with _filled(server) as database:
                    tell(f"renewals of {number:,} leases")
                    pairs[f"renewal of {number:,} leases, PostgreSQL"] = measure_renewals(
                        database, number, number=size.renewals
                    )
        if server is not None and "waiters" in parts:
            kinds = ("lease", "pg_advisory_lock", *(() if redis is None else ("redis-py", "python-redis-lock")))
            trials = [Trial(kind, processes, size.waiters, size.seconds) for processes in (1, 4) for kind in kinds]
            handed = [_handed(trial, server, redis) for trial in trials]
        return Report(this_machine(folder), pairs, handed, left_out)


def _title(store: Store) -> str:
    facts = store.facts
    durable = "" if facts.durable else ", NOT DURABLE: a commit may be lost in a crash"
    return f"acquire and release, {facts.database} {facts.version}{durable}"


@contextmanager
def _filled(store: Store) -> Iterator[str]:
    """Yield a database with the table, the rows that the contenders take, and leases of others."""
    with store.empty() as url:
        with connected(make_url(url), ConnectionSettings()) as connection:
            if store.facts.database == "sqlite":
                use_wal(connection.connection.driver_connection, str(make_url(url).database), 10.0)
            with write_transaction(connection, 10.0):
                create_tables(connection)
                _fill(connection)
        store.settle(url)
        yield url


def _fill(connection: Connection) -> None:
    names = [*ROWS, *(f"other-{number}" for number in range(_OTHERS))]
    connection.execute(insert(leases), [{"name": name} for name in names])
    statements.grant(connection, names[len(ROWS) :], "another", 3600.0)


def _pairs(store: Store, chosen: Sequence[Contender], number: int) -> list[Measured]:
    tell(f"{store.facts.database}: {number} pairs of acquire and release each")
    with _filled(store) as url, ExitStack() as stack:
        opened = {one.name: stack.enter_context(one.opened(url)) for one in chosen}
        return alternate(opened, {one.name: one.yardstick for one in chosen}, number=number)


def _handed(trial: Trial, store: PostgresqlStore, redis: int | None) -> HandOvers:
    tell(f"{trial.waiters} waiters of {trial.kind} in {trial.processes} processes")
    if trial.kind not in ("lease", "pg_advisory_lock"):
        return summary(trial, *hand_over(trial, str(redis)), None)
    with _filled(store) as url:
        before = _commits(store, url)
        every, counted = hand_over(trial, url)
        return summary(trial, every, counted, _commits(store, url) - before)


def _commits(store: PostgresqlStore, url: str) -> int:
    store.deadlocks(url)  # it waits until every connection has reported its counts
    name = make_url(url).database
    sql = f"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{name}'"
    return int(str(query(store.url, sql)[0][0]))
