"""The statements of a set look each row up by its key, also as PostgreSQL has no statistics of their tables yet, or those
of other days.
"""

from typing import Any

import pytest

from daemon.execution.claim import claim
from daemon.execution.writes.transactions import EndedJob, EndRun, write_set
from daemon.jobs.reports import Outcome
from daemon.operations.trigger import trigger
from tests.support.store import TTL, Store, a_schedule, explained, pages_of

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
                assert [sql for sql, plan in [*of_claim, *of_ends] if pages_of(plan) > MOST * SIZE] == []
            if is_analyzed:
                with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.exec_driver_sql("ANALYZE")


@pytest.mark.parametrize("settings", [{}, {"lock": {"name": "api", "slots": 2}}, {"priority": "high"}])
def test_sqlite_goes_through_the_leases_of_no_holder_for_each_row_of_a_set(
    sqlite_url: str, settings: dict[str, Any]
) -> None:
    with Store(sqlite_url) as store:
        store.sync(a_schedule("s000", **settings))
        store.do(trigger, "shop", "s000", requested_by="ada")
        known = store.known("s000")
        with store.begin() as connection, explained(connection) as of_claim:
            (claimed,) = claim(connection, "shop", known, "h1", None, TTL, SIZE, {"s000": "work"})
        with store.begin() as connection, explained(connection) as of_end:
            end = EndRun(claimed, "succeeded", job=EndedJob(claimed.begun or 0, Outcome("succeeded")))
            write_set(connection, [end])
        steps = [step for _, plan in [*of_claim, *of_end] for step in plan]
        assert [step for step in steps if "lease_holder_idx" in step or step == "SCAN lease"] == []
        assert any("sqlite_autoindex_lease_1" in step for _, plan in of_claim for step in plan)
