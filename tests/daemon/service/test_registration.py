"""The entry of a replica, and of the one that its very process was before it started anew (rule 18)."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from daemon.execution.context import ReplicaContext
from daemon.recovery import registry
from daemon.recovery.settle import settle
from daemon.service.parts import registered
from daemon.store.tables import replica as replicas
from lease import LeaseTiming
from lease.database.opening import open_database
from tests.support.manual import a_shop
from tests.support.store import Store, a_schedule, pending_runs

pytestmark = pytest.mark.anyio


def a_context(store: Store, database: Any, holder: str) -> ReplicaContext:
    application = a_shop().application(Path("schedules.py"))
    client = SimpleNamespace(holder=holder, label=f"web1:{holder}", timing=LeaseTiming())
    parts = SimpleNamespace(application=application, database=database, client=client, notify=lambda _: None)
    return cast("ReplicaContext", parts)


def states(store: Store) -> dict[str, str]:
    return dict(store.do(lambda c: [(row.holder, row.state) for row in c.execute(select(replicas))]))


async def test_one_that_started_anew_says_that_its_earlier_self_has_ended_where_that_could_not(
    database_url: str,
) -> None:
    """Its process is alive, so nobody else could tell; and its run is not taken for one whose process died."""
    with Store(database_url) as store:
        database = open_database(database_url, timeout=10, application="a test")
        nightly = a_schedule("nightly")
        store.sync(nightly)
        pending_runs(store, nightly, 1)
        (claimed,) = store.claim("nightly", holder="earlier")
        context = a_context(store, database, "earlier")
        store.do(registry.register, registry.entry_of(context.application, "earlier"))
        async with registered(a_context(store, database, "later"), "earlier", 4):
            assert states(store) == {"earlier": "stopped", "later": "running"}
            entry = store.do(lambda c: c.execute(select(replicas).where(replicas.c.holder == "later")).one())
            assert (entry.pid, entry.concurrency) == (os.getpid(), 4)
            store.go_stale(claimed.grant)
            (settled,) = store.do(settle, "shop")
            assert settled.outcome == "stopped"
            assert (store.run(claimed.run_id).state, store.run(claimed.run_id).abandoned) == ("pending", 0)
        assert states(store) == {"earlier": "stopped", "later": "stopped"}
        await database.close()


async def test_one_whose_earlier_self_has_said_so_leaves_its_entry_alone(sqlite_url: str) -> None:
    an_hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    with Store(sqlite_url) as store:
        database = open_database(sqlite_url, timeout=10, application="a test")
        async with registered(a_context(store, database, "earlier")):
            pass
        store.do(lambda c: c.execute(update(replicas).values(seen_at=an_hour_ago, stopped_at=an_hour_ago)))
        async with registered(a_context(store, database, "later"), "earlier"):
            entry = store.do(lambda c: c.execute(select(replicas).where(replicas.c.holder == "earlier")).one())
            assert (entry.state, entry.seen_at, entry.stopped_at) == ("stopped", an_hour_ago, an_hour_ago)
        await database.close()
