"""A pause that ends by itself: instants before its end do not run, those from it on do, whenever that is planned."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.definitions.schedule import Schedule
from daemon.scheduling.plan import Pause, PlannedSpan, PlanState, plan, spans
from tests.daemon.scheduling.test_plan import HOUR, LIMITS, MINUTE, NOON, Store, hourly, limited_to, planned, told

SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)


def test_time_without_a_pause_is_one_span() -> None:
    assert list(spans(None, NOON, NOON + HOUR)) == [PlannedSpan(is_paused=False, end=NOON + HOUR)]
    assert list(spans(None, NOON, NOON)) == []


def test_time_is_split_where_a_pause_begins_and_before_it_ends() -> None:
    pause = Pause(NOON + HOUR, NOON + 2 * HOUR)
    assert list(spans(pause, NOON, NOON + 3 * HOUR)) == [
        PlannedSpan(is_paused=False, end=NOON + HOUR),
        PlannedSpan(is_paused=True, end=NOON + 2 * HOUR - TICK),
        PlannedSpan(is_paused=False, end=NOON + 3 * HOUR),
    ]
    assert list(spans(pause, NOON + HOUR, NOON + HOUR + MINUTE)) == [
        PlannedSpan(is_paused=True, end=NOON + HOUR + MINUTE)
    ]
    assert list(spans(pause, NOON + 2 * HOUR - TICK, NOON + 3 * HOUR)) == [
        PlannedSpan(is_paused=False, end=NOON + 3 * HOUR)
    ]
    assert list(spans(Pause(NOON), NOON, NOON + 9 * HOUR)) == [PlannedSpan(is_paused=True, end=NOON + 9 * HOUR)]
    assert list(spans(pause, NOON + 3 * HOUR, NOON)) == [], "a clock that steps back"


def test_an_instant_at_the_very_end_of_a_pause_runs_and_the_one_before_does_not() -> None:
    found = planned(hourly(), NOON + 3 * HOUR, pause=Pause(NOON, NOON + 3 * HOUR))
    assert told(found) == ["13:00 paused", "14:00 paused", "15:00 pending"]
    assert found.ends_pause
    assert (found.planned_until, found.next_due, found.more) == (NOON + 3 * HOUR, NOON + 4 * HOUR, False)


def test_a_pause_that_has_not_ended_goes_on_after_the_plan() -> None:
    assert not planned(hourly(), NOON + 2 * HOUR, pause=Pause(NOON, NOON + 3 * HOUR)).ends_pause
    assert not planned(hourly(), NOON + 2 * HOUR, pause=Pause(NOON)).ends_pause


def test_what_was_due_before_a_pause_and_not_planned_yet_is_not_lost_as_paused() -> None:
    found = planned(hourly(catch_up="all", overlap="queue"), NOON + 3 * HOUR, pause=Pause(NOON + 2 * HOUR))
    assert told(found) == ["13:00 pending", "14:00 pending waits", "15:00 paused"]


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("skip", ["13:00 paused", "14:00 missed", "15:00 missed", "16:00 missed"]),
        ("latest", ["13:00 paused", "14:00 missed", "15:00 missed", "16:00 pending"]),
        ("all", ["13:00 paused", "14:00 pending", "15:00 pending waits", "16:00 pending waits"]),
    ],
)
def test_after_a_pause_that_ended_while_nothing_ran_catch_up_decides(catch_up: Any, expected: list[str]) -> None:
    found = planned(hourly(catch_up=catch_up), NOON + 4 * HOUR + 30 * MINUTE, pause=Pause(NOON, NOON + 2 * HOUR))
    assert told(found) == expected
    assert found.ends_pause


def test_what_was_paused_is_not_what_is_caught_up() -> None:
    """Nothing has been due since the end, so nothing runs."""
    found = planned(hourly(catch_up="latest"), NOON + 2 * HOUR + 20 * MINUTE, pause=Pause(NOON, NOON + 130 * MINUTE))
    assert told(found) == ["13:00 paused", "14:00 paused"]
    assert found.ends_pause


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        # In Berlin the clock goes from 2:00 to 3:00 at 1:00 UTC on 2026-03-29: 2:30 is run at 3:00.
        ("2026-03-29T01:00:00Z", ["03-28 01:30 paused", "03-29 01:00 pending"]),
        ("2026-03-29T01:00:01Z", ["03-28 01:30 paused", "03-29 01:00 paused"]),
        # And from 3:00 to 2:00 at 1:00 UTC on 2026-10-25: 2:30 is run the first time.
        ("2026-10-25T00:30:00Z", ["10-24 00:30 paused", "10-25 00:30 pending"]),
        ("2026-10-25T01:00:00Z", ["10-24 00:30 paused", "10-25 00:30 paused"]),
    ],
)
def test_a_pause_that_ends_as_clocks_change_splits_by_elapsed_time(until: str, expected: list[str]) -> None:
    nightly = Schedule(name="nightly", cron="30 2 * * *", timezone="Europe/Berlin")
    end = datetime.fromisoformat(until)
    begin = end.replace(hour=12, minute=0, second=0) - timedelta(days=2)
    found = plan(
        "shop", nightly, PlanState(begin, begin, pause=Pause(begin, end)), end.replace(hour=1, minute=0) + SECOND
    )
    assert [f"{run.scheduled_for:%m-%d %H:%M} {run.reason or run.state}" for run in found.runs] == expected


def test_a_long_pause_is_counted_up_to_its_end_and_no_further() -> None:
    store = Store(
        Schedule(name="often", cron="* * * * *"), PlanState(NOON, NOON, pause=Pause(NOON, NOON + 5_000 * MINUTE))
    )
    now = NOON + 5_010 * MINUTE
    store.until_planned(now)
    reasons = [(run.reason, run.count) for _, run in sorted(store.rows.items())]
    assert sum(count for reason, count in reasons if reason == "paused") == 4_999
    assert reasons[0] == ("paused", 3_999)
    assert max(at for at, run in store.rows.items() if run.reason == "paused") == NOON + 4_999 * MINUTE
    store.assert_each_has_one_run(NOON, now)


def test_a_counted_row_that_grows_ends_with_the_pause_in_the_midst_of_a_plan() -> None:
    pause = Pause(NOON, NOON + 1_105 * MINUTE)
    store = Store(Schedule(name="often", cron="* * * * *"), PlanState(NOON, NOON, pause=pause))
    for minutes in (1_100, 1_110):
        store.until_planned(NOON + minutes * MINUTE)
    counted = [(run.reason, run.count) for run in store.rows.values() if run.last_scheduled_for]
    assert sum(count for _, count in counted) == 104
    assert {reason for reason, _ in counted} == {"paused"}
    store.assert_each_has_one_run(NOON, NOON + 1_110 * MINUTE)


@given(
    before=st.integers(0, 150),
    lasts=st.integers(1, 150),
    after=st.integers(-20, 150),
    catch_up=st.sampled_from(["skip", "latest", "all"]),
    limits=LIMITS,
)
def test_each_instant_has_one_row_and_only_those_within_the_pause_are_paused(
    before: int, lasts: int, after: int, catch_up: Any, limits: tuple[int, int, int]
) -> None:
    """Rule 13."""
    begin = NOON + before * MINUTE + SECOND
    end = begin + lasts * MINUTE
    often = Schedule(name="often", every=60.0, catch_up=catch_up, overlap="queue")
    now = max(NOON, end + after * MINUTE)
    with limited_to(*limits):
        store = Store(often, PlanState(NOON, NOON, pause=Pause(begin, end)))
        store.until_planned(now)
    store.assert_each_has_one_run(NOON, now)
    for first, run in store.rows.items():
        within = begin < first and (run.last_scheduled_for or first) < end
        assert (run.reason == "paused") == within
