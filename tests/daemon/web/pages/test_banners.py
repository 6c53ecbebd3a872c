"""The lines under the header."""

from collections.abc import Iterator

import pytest

from daemon.operations.pause import pause
from daemon.operations.selection import Selection
from daemon.web.pages.banners import banners
from tests.daemon.web.pages.frames import status_of, with_replica
from tests.support.store import Store, a_schedule


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as opened:
        opened.sync(a_schedule("nightly"), a_schedule("hourly"))
        yield opened


def test_without_a_replica_the_first_line_says_since_when_and_which_command_starts_one(store: Store) -> None:
    (never,) = banners(status_of(store))
    assert (never.lead, never.since, never.command) == ("No replica has run yet.", None, "leased run FILE")
    with_replica(store, "ended", seen_ago=90_000, state="stopped")
    with_replica(store, "killed", seen_ago=3_600)
    status = status_of(store)
    (line,) = banners(status)
    assert (line.lead, line.command) == ("No replica is running, so nothing starts.", "leased run FILE")
    assert line.since is not None
    assert 3_500 < (status.overview.database_time - line.since).total_seconds() < 3_700
    with_replica(store, "alive", seen_ago=5)
    assert banners(status_of(store)) == []


def test_what_is_paused_together_says_who_and_why_once_and_one_paused_schedule_is_no_line(store: Store) -> None:
    with_replica(store, "web-1")
    store.do(pause, Selection("shop", "nightly"), requested_by="ann", why="move of the database")
    assert banners(status_of(store)) == []
    store.do(pause, Selection("shop", "hourly"), requested_by="ann", why="move of the database")
    (line,) = banners(status_of(store))
    assert line.lead == "All 2 schedules of shop are paused."
    assert line.text.startswith("Why: move of the database. Their scheduled times are skipped; ")
    assert (line.by, line.until) == ("ann", None)
