"""The statements of a set look each row up by its key, also as PostgreSQL has no statistics of their tables yet, or those
of other days.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

from daemon.execution.claim import claim
from daemon.execution.writes.batcher import write_set
from daemon.execution.writes.transactions import EndedJob, EndRun
from daemon.jobs.reports import Outcome
from daemon.operations.trigger import trigger
from tests.support.store import TTL, Store, a_schedule

SIZE = 100
NAMES = [f"s{number:03}" for number in range(2 * SIZE)]
MOST = 100
"""Pages that a statement reads or writes for each row of the set, at most: it takes some 20, and pairs take 600."""


_HISTORY = """
    INSERT INTO run (application, schedule, scheduled_for, trigger, state, lease_name, digest, created_at, finished_at)
    SELECT 'shop', 's000', clock_timestamp(), 'manual', 'succeeded', 'run/shop/s000', 'a digest', clock_timestamp(),
           clock_timestamp()
    FROM generate_series(1, 3000)
"""


@contextmanager
def explained(connection: Connection) -> Iterator[dict[str, int]]:
    """Note how many pages each statement reads and writes at most, by its beginning."""
    execute, most = connection.execute, defaultdict[str, int](int)

    def explain(statement: Any, *args: Any, **kwargs: Any) -> Any:
        compiled = statement.compile(connection, compile_kwargs={"render_postcompile": True})
        connection.exec_driver_sql("SAVEPOINT tried")
        explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {compiled}"
        (plan,) = connection.exec_driver_sql(explained, compiled.construct_params(*args)).scalar_one()
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT tried")
        sql = " ".join(str(compiled).split())[:60]
        most[sql] = max(most[sql], plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])
        return execute(statement, *args, **kwargs)

    connection.execute = explain  # type: ignore[method-assign]  # of this connection alone
    try:
        yield most
    finally:
        connection.execute = execute  # type: ignore[method-assign]  # of this connection alone


@pytest.mark.parametrize("is_analyzed", [False, True])
@pytest.mark.extended
def test_no_statement_of_a_set_pairs_each_row_with_each(postgres_url: str, *, is_analyzed: bool) -> None:
    """With the grants of one holder, all under their first token, as after a start: these two say nothing of a row."""
    with Store(postgres_url) as store:
        store.sync(*(a_schedule(name) for name in NAMES))
        known, first_jobs = store.known(*NAMES), dict.fromkeys(NAMES, "work")
        store.do(lambda connection: connection.exec_driver_sql(_HISTORY))
        for _ in range(2):
            store.do(lambda connection: [trigger(connection, "shop", name, requested_by="ada") for name in NAMES])
            for _ in range(2):
                with store.begin() as connection, explained(connection) as of_claim:
                    claimed = claim(connection, "shop", known, "h1", None, TTL, SIZE, first_jobs)
                assert len(claimed) == SIZE
                with store.begin() as connection, explained(connection) as of_ends:
                    write_set(
                        connection,
                        [
                            EndRun(one, "succeeded", job=EndedJob(one.begun or 0, Outcome("succeeded")))
                            for one in claimed
                        ],
                    )
                wide = {sql: pages for sql, pages in {**of_claim, **of_ends}.items() if pages > MOST * SIZE}
                assert wide == {}
            if is_analyzed:
                with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.exec_driver_sql("ANALYZE")


@contextmanager
def planned(connection: Connection) -> Iterator[list[str]]:
    """Note how SQLite looks for the rows of each statement."""
    execute, found = connection.execute, list[str]()

    def plan(statement: Any, *args: Any, **kwargs: Any) -> Any:
        compiled = statement.compile(connection, compile_kwargs={"render_postcompile": True})
        given = tuple("[]" for _ in compiled.positiontup)
        found.extend(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", given))
        return execute(statement, *args, **kwargs)

    connection.execute = plan  # type: ignore[method-assign]  # of this connection alone
    try:
        yield found
    finally:
        connection.execute = execute  # type: ignore[method-assign]  # of this connection alone


@pytest.mark.parametrize("settings", [{}, {"lock": {"name": "api", "slots": 2}}, {"priority": "high"}])
def test_sqlite_goes_through_the_leases_of_no_holder_for_each_row_of_a_set(
    sqlite_url: str, settings: dict[str, Any]
) -> None:
    with Store(sqlite_url) as store:
        store.sync(a_schedule("s000", **settings))
        store.do(trigger, "shop", "s000", requested_by="ada")
        known = store.known("s000")
        with store.begin() as connection, planned(connection) as of_claim:
            (claimed,) = claim(connection, "shop", known, "h1", None, TTL, SIZE, {"s000": "work"})
        with store.begin() as connection, planned(connection) as of_end:
            end = EndRun(claimed, "succeeded", job=EndedJob(claimed.begun or 0, Outcome("succeeded")))
            write_set(connection, [end])
        assert [line for line in [*of_claim, *of_end] if "lease_holder_idx" in line or line == "SCAN lease"] == []
        assert any("sqlite_autoindex_lease_1" in line for line in of_claim)
