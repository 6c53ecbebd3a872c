"""A step of pruning finds the oldest runs of a schedule by its index, however many runs there are, also where PostgreSQL
has no statistics of their tables yet, or SQLite none at all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event

from daemon.pruning.pruner import MOST_RUNS, Bounded, bound, choose_next
from daemon.store.statements.keeping import delete_runs
from daemon.store.tables import job_output, job_run, run
from tests.support.store import Store, a_schedule

RUNS = 20_000
KEPT = 100
MOST = 20
"""Pages that a statement reads or writes for each run of a step, at most; with all that its deletion looks up and checks."""

_HISTORY = f"""
    INSERT INTO run (application, schedule, scheduled_for, trigger, state, lease_name, created_at, finished_at)
    SELECT 'shop', CASE WHEN mod(n, 2) = 0 THEN 'often' ELSE 's' || mod(n, 200) END,
           clock_timestamp() - n * interval '1 hour', 'schedule', 'succeeded', 'a lease',
           clock_timestamp() - n * interval '1 hour', clock_timestamp() - n * interval '1 hour'
    FROM generate_series({RUNS}, 1, -1) AS n
"""
_ATTEMPTS = """
    INSERT INTO job_run (run_id, job, position, attempt, state, token, holder, started_at, finished_at)
    SELECT id, 'work', 0, 1, 'succeeded', 1, 'h', created_at, finished_at FROM run
"""
_OUTPUT = "INSERT INTO job_output (job_run_id, start, line, text) SELECT id, 0, 0, 'printed' FROM job_run"


@contextmanager
def explained(connection: Connection) -> Iterator[list[tuple[str, int]]]:
    """Note how many pages each statement reads and writes, and which tables it reads as a whole."""
    execute, found = connection.execute, list[tuple[str, int]]()

    def explain(statement: Any, *args: Any, **kwargs: Any) -> Any:
        compiled = statement.compile(connection, compile_kwargs={"render_postcompile": True})
        connection.exec_driver_sql("SAVEPOINT tried")
        asked = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {compiled}"
        (plan,) = connection.exec_driver_sql(asked, compiled.construct_params(*args)).scalar_one()
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT tried")
        found.append((str(compiled), plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]))
        return execute(statement, *args, **kwargs)

    connection.execute = explain  # type: ignore[method-assign]
    try:
        yield found
    finally:
        connection.execute = execute  # type: ignore[method-assign]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ["often", "s7"])
@pytest.mark.parametrize("statistics", ["of full tables", "of empty tables", "none"])
def test_on_postgresql_a_step_reads_pages_by_the_number_of_its_runs(
    postgres: Store, statistics: str, name: str
) -> None:
    postgres.sync(*(a_schedule(one) for one in ("often", *(f"s{number}" for number in range(1, 200, 2)))))
    with postgres.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ("run", "job_run", "job_output"):
            connection.exec_driver_sql(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        if statistics == "of empty tables":
            connection.exec_driver_sql("ANALYZE")
        for made in (_HISTORY, _ATTEMPTS, _OUTPUT):
            connection.exec_driver_sql(made)
        if statistics == "of full tables":
            connection.exec_driver_sql("VACUUM ANALYZE")
    runs = MOST_RUNS if name == "often" else RUNS // 200 - 20
    with postgres.begin() as connection, explained(connection) as found:
        bounded = bound(connection, "shop", name, {"runs": 20 if name == "s7" else KEPT})
        assert bounded is not None
        step = choose_next(connection, bounded, 0)
        assert delete_runs(connection, "shop", name, step.ids) == runs
    assert [(sql, pages) for sql, pages in found if pages > MOST * runs + 100] == []


def test_on_sqlite_no_step_reads_a_table_as_a_whole(sqlite_url: str) -> None:
    plans: list[str] = []

    def explain(connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if "EXPLAIN" not in statement:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row.detail for row in rows)

    tables = tuple(f"{table.name} " for table in (run, job_run, job_output))
    with Store(sqlite_url) as store, store.begin() as connection:
        event.listen(connection, "before_cursor_execute", explain)
        bound(connection, "shop", "daily", {"runs": 5})
        bounded = Bounded("shop", "daily", 0.0, before=10)
        choose_next(connection, bounded, 0)
        oldest = [plan for plan in plans if " run " in plan]
        assert len(oldest) == 2
        assert all("run_history_idx" in plan for plan in oldest)
        delete_runs(connection, "shop", "daily", (1, 2))
    assert [plan for plan in plans if plan.startswith("SCAN") and f"{plan.split()[1]} " in tables] == []
    assert [plan for plan in plans if "TEMP B-TREE FOR ORDER" in plan] == []
