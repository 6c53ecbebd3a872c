"""A run that is requested for a moment: until then it stands in nobody's way, then it takes its place (rule 23)."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from daemon.operations.cancel import cancel
from daemon.operations.trigger import trigger
from daemon.scheduling import plan_due as planning
from daemon.service.waking.idle_wait import read_agenda
from daemon.store.tables import run, schedule
from daemon.store.views.causes import WaitsForStart
from daemon.store.views.history import read_run
from daemon.store.views.overview import read_overview
from lease.database.dialects import now
from tests.support.completion import finish_run
from tests.support.store import Store, a_schedule

pytestmark = pytest.mark.conformance
LATER = datetime(2099, 1, 1, tzinfo=UTC)
DAILY = a_schedule("daily")


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(DAILY)
    return store


def its_moment_comes(store: Store, run_id: int) -> None:
    store.shift(run, run.c.id == run_id, place_at=-1.0)


def an_instant_is_due(store: Store) -> None:
    store.shift(schedule, schedule.c.retired_at.is_(None), anchor=-3_601.0, planned_until=-10.0, next_due=-1.0)


@pytest.mark.on_both
def test_it_waits_for_its_moment_and_says_so(store: Store) -> None:
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", at=LATER)
    store.plan(DAILY)
    row = store.run(run_id)
    assert (row.state, row.available_at, row.place_at, row.scheduled_for) == ("pending", None, LATER, LATER)
    assert store.claim("daily") == []
    assert store.do(read_run, run_id).run.why == WaitsForStart(LATER)
    assert store.do(read_run, run_id).available_at == LATER
    (waiting,) = store.do(read_overview).waiting
    assert (waiting.available_at, waiting.why) == (LATER, WaitsForStart(LATER))


def test_a_duration_counts_from_now_by_the_clock_of_the_database(store: Store) -> None:
    row = store.run(store.do(trigger, "shop", "daily", requested_by="ada", at="15m"))
    assert row.place_at - row.created_at == timedelta(minutes=15)


def test_no_instant_is_skipped_for_it(store: Store) -> None:
    """With overlap = "skip" only an unfinished run is in the way, and this one has no place yet."""
    hourly = a_schedule("hourly", overlap="skip")
    store.sync(hourly)
    store.do(trigger, "shop", "hourly", requested_by="ada", at=LATER)
    an_instant_is_due(store)
    assert store.planned(hourly) == {"pending": 1}


def test_the_end_of_another_run_does_not_start_it(store: Store) -> None:
    first = store.do(trigger, "shop", "daily", requested_by="ada")
    later = store.do(trigger, "shop", "daily", requested_by="ada", at=LATER)
    behind = store.do(trigger, "shop", "daily", requested_by="ada")
    for expected in (first, behind):
        (claimed,) = store.claim("daily")
        assert claimed.run_id == expected
        store.do(finish_run, claimed, "succeeded", None)
    assert store.claim("daily") == []
    assert store.run(later).available_at is None


def test_when_its_moment_has_come_it_starts(store: Store) -> None:
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", at=LATER)
    its_moment_comes(store, run_id)
    assert store.plan(DAILY).made == 1
    assert store.run(run_id).place_at is None
    assert [one.run_id for one in store.claim("daily")] == [run_id]


def test_a_replica_of_an_older_version_does_not_let_it_start(store: Store) -> None:
    """It knows no runs that have no place yet, and promotes the first that waits."""
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", at=LATER)
    older = update(run).where(run.c.state == "pending", run.c.available_at.is_(None)).values(available_at=now())
    assert store.do(lambda connection: connection.execute(older)).rowcount == 0
    assert (store.run(run_id).available_at, store.claim("daily")) == (None, [])


def test_behind_an_unfinished_run_it_waits_for_that(store: Store) -> None:
    daily = a_schedule("daily", overlap="skip")
    store.sync(daily)
    first = store.do(trigger, "shop", "daily", requested_by="ada")
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", at=LATER)
    its_moment_comes(store, run_id)
    store.plan(daily)
    assert (store.run(run_id).place_at, store.run(run_id).available_at) == (None, None)
    (claimed,) = store.claim("daily")
    assert claimed.run_id == first
    store.do(finish_run, claimed, "succeeded", None)
    assert [one.run_id for one in store.claim("daily")] == [run_id]


def test_once_it_has_its_place_an_instant_is_skipped_for_it(store: Store) -> None:
    """Even where both are due at once: no second run starts beside it."""
    hourly = a_schedule("hourly", overlap="skip")
    store.sync(hourly)
    its_moment_comes(store, store.do(trigger, "shop", "hourly", requested_by="ada", at=LATER))
    an_instant_is_due(store)
    assert store.planned(hourly) == {"overlap": 1}


def test_with_overlap_allow_all_whose_moment_has_come_start_each_under_its_own_lease(store: Store) -> None:
    daily = a_schedule("daily", overlap="allow")
    store.sync(daily)
    ids = [store.do(trigger, "shop", "daily", requested_by="ada", at=LATER) for _ in range(3)]
    for run_id in ids[:2]:
        its_moment_comes(store, run_id)
    store.plan(daily)
    claimed = store.claim("daily")
    assert sorted((one.run_id, one.grant.name) for one in claimed) == [(n, f"run/shop/daily/{n}") for n in ids[:2]]


def test_runs_that_wait_for_one_moment_start_one_after_another(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MOST_PLACED", 2)
    ids = [store.do(trigger, "shop", "daily", requested_by="ada", at=LATER) for _ in range(3)]
    for run_id in ids:
        its_moment_comes(store, run_id)
    assert [store.plan(DAILY).more, store.plan(DAILY).more] == [True, False]
    for run_id in ids:
        (claimed,) = store.claim("daily")
        assert claimed.run_id == run_id
        store.do(finish_run, claimed, "succeeded", None)


def test_a_replica_that_has_not_its_schedule_leaves_it_to_others(store: Store) -> None:
    daily, other = a_schedule("daily"), a_schedule("other")
    store.sync(daily, other)
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", at=LATER)
    its_moment_comes(store, run_id)
    store.plan(other)
    assert store.run(run_id).place_at is not None


def test_while_its_schedule_is_locked_it_is_left_for_later(postgres_url: str) -> None:
    with Store(postgres_url) as store:
        daily = a_schedule("daily")
        store.sync(daily)
        run_id = store.do(trigger, "shop", "daily", requested_by="ada", at=LATER)
        its_moment_comes(store, run_id)
        with store.begin() as other:
            trigger(other, "shop", "daily", requested_by="bob")
            assert store.plan(daily).made == 0
        assert store.plan(daily).made == 1


def test_many_whose_definition_cannot_be_read_hide_no_run_of_another_schedule(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica of an older version may be unable to read one, and there is no newer: they wait, but nobody else."""
    monkeypatch.setattr(planning, "MOST_PLACED", 2)
    bad, good = a_schedule("bad"), a_schedule("good")
    store.sync(bad, good)
    ids = [store.do(trigger, "shop", name, requested_by="ada", at=LATER) for name in ("bad", "bad", "bad", "good")]
    for run_id in ids:
        its_moment_comes(store, run_id)
    later_version = update(schedule).where(schedule.c.name == "bad").values(definition='{"name": "bad"}', digest="?")
    store.do(lambda connection: connection.execute(later_version))
    planned = store.plan(bad, good)
    assert (list(planned.unreadable), planned.more) == (["bad"], False)
    assert [one.run_id for one in store.claim("good")] == ids[3:]


def test_the_agenda_tells_its_moment_and_does_not_wait_for_it_to_be_idle(store: Store) -> None:
    known = store.known("daily")
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", at="15m")
    agenda = store.do(read_agenda, "shop", known, "h1")
    assert agenda.until_due is not None
    assert 800 < agenda.until_due <= 900
    assert (agenda.due, agenda.pending, agenda.idle) == (False, False, True)
    its_moment_comes(store, run_id)
    agenda = store.do(read_agenda, "shop", known, "h1")
    assert (agenda.due, agenda.idle) == (True, False)


def test_it_can_be_cancelled_before_its_moment_and_never_starts(store: Store) -> None:
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", at=LATER)
    assert store.do(cancel, run_id, requested_by="bob").state == "cancelled"
    assert store.rows(select(run.c.id).where(run.c.place_at.is_not(None))) == []
    store.plan(DAILY)
    assert store.claim("daily") == []


def test_it_goes_by_the_definition_that_the_schedule_had(store: Store) -> None:
    """Rule 22: and where nobody has that any more, it is adopted like all that wait."""
    before, after = a_schedule("daily"), a_schedule("daily", overlap="allow")
    store.sync(before)
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", at=LATER)
    digest = store.run(run_id).digest
    store.sync(after)
    its_moment_comes(store, run_id)
    store.plan(after)
    assert (store.run(run_id).digest, store.run(run_id).place_at) == (digest, None)
