"""What is searched for again and again is found without a look at all runs that were ever made."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event

from daemon.store import statements
from tests.support.store import Store

SEARCHES: dict[str, Callable[[Connection], Any]] = {
    "pending definitions": lambda c: statements.adoption.pending_definitions(c, "shop"),
    "cancelled with their schedule": lambda c: statements.adoption.cancel_retired(c, "shop", ["x"]),
    "marked and pending": lambda c: statements.cancel.find_pending(c, "shop"),
    "marked and pending anywhere": lambda c: statements.cancel.find_pending(c, None),
}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_sqlite_searches_the_runs_that_are_not_over(sqlite_url: str, search: Callable[[Connection], Any]) -> None:
    plans: list[str] = []

    def explain(connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if "EXPLAIN" not in statement:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row.detail for row in rows if " run" in row.detail)

    with Store(sqlite_url) as store, store.begin() as connection:
        event.listen(connection, "before_cursor_execute", explain)
        search(connection)
    assert len(plans) == 1
    assert "run_unfinished_idx" in plans[0]
