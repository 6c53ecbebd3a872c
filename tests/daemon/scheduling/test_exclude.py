"""Instants on excluded days: accounted for, never run, never caught up, whatever else happens (rule 13)."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.definitions.schedule import Schedule
from daemon.definitions.triggers.trigger import Every
from daemon.scheduling import plan as planning
from daemon.scheduling.plan import Pause, PlanState
from daemon.store.tables import schedule
from daemon.store.views.history import read_runs
from tests.daemon.scheduling.test_plan import HOUR, LIMITS, MINUTE, NOON, Store, limited_to, planned
from tests.support.store import Store as RealStore
from tests.support.store import a_schedule

DAY = timedelta(days=1)
BY_DEFAULT = ["2026-07-03", "2026-07-04"]
"""NOON is that of 1 July."""


def daily(**settings: Any) -> Schedule:
    return Schedule.model_validate({"name": "daily", "cron": "0 6 * * *", "exclude": BY_DEFAULT, **settings})


def often(**settings: Any) -> Schedule:
    return Schedule.model_validate({"name": "often", "cron": "* * * * *", "exclude": BY_DEFAULT, **settings})


def told(schedule: Schedule, now: datetime, **state: Any) -> list[str]:
    return [
        f"{row.scheduled_for:%d} {row.reason or row.state}{' waits' if row.waits else ''}"
        for row in planned(schedule, now, **state).runs
    ]


def at(day: int, hour: int = 6, minute: int = 0) -> datetime:
    return datetime(2026, 7, day, hour, minute, tzinfo=UTC)


def counts(store: Store) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in store.rows.values():
        found[row.reason or row.state] += row.count
    return found


FATES: dict[str, tuple[dict[str, Any], datetime, dict[str, Any], str]] = {
    "an excluded day": ({}, at(3), {"since": at(2)}, "03 excluded"),
    "the day after": ({}, at(5), {"since": at(4)}, "05 pending"),
    "catch up none": ({"catch_up": "skip"}, at(5, 12), {}, "02 missed, 03 excluded, 04 excluded, 05 missed"),
    "catch up the latest": ({}, at(6, 12), {}, "02 missed, 03 excluded, 04 excluded, 05 missed, 06 pending"),
    "catch up all": ({"catch_up": "all"}, at(5, 12), {}, "02 pending, 03 excluded, 04 excluded, 05 pending waits"),
    "missed before excluded days": ({}, at(4, 12), {}, "02 pending, 03 excluded, 04 excluded"),
    "due now, but excluded: it takes no turn": ({}, at(3), {}, "02 pending, 03 excluded"),
    "too late": ({"start_within": 60.0}, at(3, 12), {}, "02 missed, 03 excluded"),
    "a run is active": ({}, at(3), {"since": at(2), "unfinished": True}, "03 excluded"),
    "a run is active, queue": ({"overlap": "queue"}, at(3), {"since": at(2), "unfinished": True}, "03 excluded"),
    "paused": ({}, at(3), {"pause": Pause(NOON)}, "02 paused, 03 excluded"),
    "none overlaps it": ({"overlap": "queue"}, at(5), {"since": at(3)}, "04 excluded, 05 pending"),
}
"""The policies, when it is planned, the state, and what becomes of each instant."""


@pytest.mark.parametrize(("policies", "now", "state", "fates"), FATES.values(), ids=FATES)
def test_an_excluded_instant_is_recorded_as_that_whatever_else_happens_and_never_caught_up(
    policies: dict[str, Any], now: datetime, state: dict[str, Any], fates: str
) -> None:
    assert ", ".join(told(daily(**policies), now, **state)) == fates


def test_the_plan_goes_on_behind_an_excluded_instant() -> None:
    found = planned(daily(), at(3), since=at(2))
    assert (found.next_due, found.planned_until, found.stretch) == (at(4), at(3), planning.Stretch("excluded", 1))


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("trigger", [{"cron": "* * * * *"}, {"every": 60.0, "cron": None}])
@pytest.mark.usefixtures("passing_seconds")
def test_a_missed_year_with_excluded_days_in_it_is_counted_by_its_reasons(
    timezone: str, trigger: dict[str, Any]
) -> None:
    exclude = ["12-24", "12-25", "12-26", "2026-10-25", "2027-03-28", "2026-08-01..2026-08-21"]
    schedule = often(exclude=exclude, timezone=timezone, **trigger)
    store = Store(schedule, PlanState(NOON, NOON))
    now = NOON + 365 * DAY
    began = time.process_time()
    store.until_planned(now)
    assert (time.process_time() - began) / store.calls < 1
    assert store.calls <= 4
    found = counts(store)
    minutes = sum(
        (part.until - part.after + timedelta(microseconds=1)) // MINUTE
        for part in schedule.parts(NOON, now)
        if part.excluded
    )
    assert found == {"excluded": minutes, "missed": 365 * 24 * 60 - minutes - 2, "pending": 1, "overlap": 1}
    rows = sorted(store.rows.values(), key=lambda row: row.scheduled_for)
    for earlier, later in pairwise(rows):
        assert (earlier.last_scheduled_for or earlier.scheduled_for) + MINUTE == later.scheduled_for
    for row in rows:
        for instant in (row.scheduled_for, row.last_scheduled_for or row.scheduled_for):
            assert (row.reason == "excluded") == (schedule.excluded_by(instant) is not None)


@pytest.mark.usefixtures("passing_seconds")
def test_what_may_be_caught_up_is_found_behind_any_number_of_excluded_instants() -> None:
    schedule = often(exclude=["2026-07-03..2026-07-12"], catch_up="all")
    store = Store(schedule, PlanState(NOON, NOON))
    store.until_planned(at(12, 23, 59))
    assert counts(store) == {"missed": 36 * 60 - 1 - 1_000, "pending": 1_000, "excluded": 10 * 24 * 60}
    assert max(row.scheduled_for for row in store.rows.values() if row.state == "pending") == at(2, 23, 59)
    store.assert_each_has_one_run(NOON, at(12, 23, 59))


@given(
    trigger=st.sampled_from([{"cron": "*/15 * * * *"}, {"cron": "0 8,20 * * *"}, {"cron": None, "every": 1800.0}]),
    policies=st.fixed_dictionaries(
        {
            "catch_up": st.sampled_from(["skip", "latest", "all"]),
            "overlap": st.sampled_from(["skip", "queue", "allow"]),
            "start_within": st.sampled_from([None, 3600.0]),
            "timezone": st.sampled_from(["UTC", "America/New_York"]),
            "exclude": st.lists(st.sampled_from([f"2026-07-{day:02}" for day in range(1, 9)]), max_size=4),
        }
    ),
    steps=st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=1, max_size=6),
    limits=LIMITS,
)
@pytest.mark.usefixtures("passing_seconds")
def test_planning_in_any_number_of_calls_records_each_instant_once_and_as_excluded_where_it_is(
    trigger: dict[str, Any], policies: dict[str, Any], steps: list[tuple[int, bool]], limits: tuple[int, int, int]
) -> None:
    with limited_to(*limits):
        store = Store(daily(**trigger, **policies), PlanState(NOON, NOON))
        now = NOON
        for hours, paused in steps:
            store.state = PlanState(
                store.state.planned_until,
                NOON,
                store.state.unfinished,
                Pause(now) if paused else None,
                store.state.stretch,
            )
            now += hours * HOUR
            store.until_planned(now)
        store.assert_each_has_one_run(NOON, now)
        for row in store.rows.values():
            last = row.last_scheduled_for or row.scheduled_for
            for part in store.schedule.parts(row.scheduled_for - timedelta(microseconds=1), last):
                assert part.excluded == (row.reason == "excluded")


def test_excluded_instants_become_rows_that_say_so(store: RealStore) -> None:
    today = datetime.now(UTC)
    poll = a_schedule("poll", Every(20.0), exclude=[f"{today - DAY:%Y-%m-%d}..{today + DAY:%Y-%m-%d}"])
    store.sync(poll)
    store.shift(schedule, planned_until=-1_010.0, anchor=-1_010.0, next_due=-990.0)
    while store.plan(poll).more:
        pass
    assert store.instants() == {"excluded": 50}
    (last, *_) = store.do(lambda connection: read_runs(connection, limit=1))
    assert (last.state, last.reason) == ("skipped", "excluded")
    assert last.why_text == "excluded: its schedule does not run on that day"
