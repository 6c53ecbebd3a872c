"""Planning: each due instant becomes exactly one run, with a reason also when nothing ran (rules 13 and 14)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.definitions.schedule import Schedule
from daemon.definitions.triggers.trigger import At, Cron, Every, OnRequest, Trigger
from daemon.scheduling import plan as planning
from daemon.scheduling.plan import (
    Pause,
    Plan,
    PlannedRun,
    PlanState,
    Stretch,
    changed_state,
    first_state,
    jitter,
    plan,
)
from tests.support.store import a_schedule

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
PAUSED = Pause(NOON)


def hourly(**policies: Any) -> Schedule:
    return Schedule.model_validate({"name": "hourly", "cron": "0 * * * *", **policies})


def planned(schedule: Schedule, now: datetime, since: datetime = NOON, **state: Any) -> Plan:
    return plan("shop", schedule, PlanState(planned_until=since, anchor=since, **state), now)


def told(found: Plan) -> list[str]:
    """Return each row in a few words."""
    return [
        f"{run.scheduled_for:%H:%M} {run.reason or run.state}{' waits' if run.waits else ''}"
        + (f" to {run.last_scheduled_for:%H:%M} x{run.count}" if run.last_scheduled_for else "")
        for run in found.runs
    ]


@dataclass
class Store:
    """What the database would hold: rows by instant, and the state of one schedule."""

    schedule: Schedule
    state: PlanState
    rows: dict[datetime, PlannedRun] = field(default_factory=dict)
    calls: int = 0

    def until_planned(self, now: datetime) -> None:
        while True:
            found = plan("shop", self.schedule, self.state, now)
            self.calls += 1
            assert len(found.runs) <= planning.MOST_ROWS
            self._write(found)
            if not found.more:
                assert found.next_due is None or found.next_due > now
                return
            assert found.next_due is not None
            assert found.next_due <= now

    def _write(self, found: Plan) -> None:
        for run in found.runs:
            assert (run.scheduled_for in self.rows) == run.extends
            if run.extends:
                before = self.rows[run.scheduled_for]
                assert before.last_scheduled_for is not None
                assert run.last_scheduled_for is not None
                assert run.last_scheduled_for > before.last_scheduled_for
                assert run.count > before.count
                assert run.reason == before.reason
            self.rows[run.scheduled_for] = run
        assert found.planned_until >= self.state.planned_until
        self.state = replace(
            self.state,
            planned_until=found.planned_until,
            stretch=found.stretch,
            unfinished=self.state.unfinished or any(run.state == "pending" for run in found.runs),
        )

    def assert_each_has_one_run(self, since: datetime, until: datetime) -> None:
        due = list(takewhile(lambda one: one <= until, self.schedule.instants(since, self.state.anchor)))
        accounted: list[datetime] = []
        for first, run in sorted(self.rows.items()):
            last = run.last_scheduled_for or first
            within = [instant for instant in due if first <= instant <= last]
            assert len(within) == run.count
            accounted += within
        assert accounted == due


EACH_MINUTE = {"cron": "* * * * *", "overlap": "replace"}
ACTIVE: dict[str, Any] = {"unfinished": True}
TO_TWO: dict[str, Any] = {"pause": Pause(NOON, NOON + 2 * HOUR)}

FATES: dict[str, tuple[dict[str, Any], float, dict[str, Any], str]] = {
    "due": ({}, 60, {}, "13:00 pending"),
    "not due yet": ({}, 59, {}, ""),
    "catch up none": ({"catch_up": "skip"}, 150, {}, "13:00 missed, 14:00 missed"),
    "catch up the latest": ({"catch_up": "latest"}, 150, {}, "13:00 missed, 14:00 pending"),
    "catch up all": ({"catch_up": "all"}, 150, {}, "13:00 pending, 14:00 pending waits"),
    "a minute late": ({"catch_up": "skip"}, 61, {}, "13:00 pending"),
    "more than a minute late": ({"catch_up": "skip"}, 61.001, {}, "13:00 missed"),
    "due now": ({}, 120, {}, "13:00 missed, 14:00 pending"),
    "due now, queue": ({"overlap": "queue"}, 180, {}, "13:00 missed, 14:00 pending, 15:00 pending waits"),
    "due now, allow": ({"overlap": "allow"}, 180, {}, "13:00 missed, 14:00 pending, 15:00 pending"),
    "due now, catch up all": ({"catch_up": "all"}, 120, {}, "13:00 pending, 14:00 overlap"),
    "start within": ({"catch_up": "all", "start_within": 5400}, 150, {}, "13:00 pending, 14:00 pending waits"),
    "start within an hour": ({"catch_up": "all", "start_within": 3600}, 150, {}, "13:00 missed, 14:00 pending"),
    "start within ten minutes": ({"start_within": 600}, 150, {}, "13:00 missed, 14:00 missed"),
    "start within ten seconds": ({"start_within": 10}, 60.2, {}, "13:00 missed"),
    "a run is active, skip": ({"overlap": "skip"}, 60, ACTIVE, "13:00 overlap"),
    "a run is active, queue": ({"overlap": "queue"}, 60, ACTIVE, "13:00 pending waits"),
    "a run is active, allow": ({"overlap": "allow"}, 60, ACTIVE, "13:00 pending"),
    "a run is active, catch up the latest": ({"catch_up": "latest"}, 150, ACTIVE, "13:00 missed, 14:00 overlap"),
    "a run is active, catch up all": ({"catch_up": "all"}, 150, ACTIVE, "13:00 pending waits, 14:00 pending waits"),
    "the second overlaps the first": ({"cron": None, "every": 30}, 1, {}, "12:00 pending, 12:01 overlap"),
    "replace": (EACH_MINUTE, 3, {}, "12:01 missed, 12:02 replaced, 12:03 pending"),
    "replace, a run is active": (EACH_MINUTE, 3, ACTIVE, "12:01 missed, 12:02 replaced, 12:03 pending waits"),
    "replace, catch up all": ({**EACH_MINUTE, "catch_up": "all"}, 2.5, {}, "12:01 missed, 12:02 pending"),
    "replace, catch up the latest": ({"overlap": "replace"}, 150, {}, "13:00 missed, 14:00 pending"),
    "replace, catch up none": ({"overlap": "replace", "catch_up": "skip"}, 150, {}, "13:00 missed, 14:00 missed"),
    "replace, none in time": ({**EACH_MINUTE, "start_within": 20}, 2.5, {}, "12:01 missed, 12:02 missed"),
    "paused": ({"catch_up": "all"}, 120, {"pause": PAUSED}, "13:00 paused, 14:00 paused"),
    "due before the pause": ({}, 120, {"pause": Pause(NOON + 90 * MINUTE)}, "13:00 pending, 14:00 paused"),
    "after the pause, catch up none": ({"catch_up": "skip"}, 150, TO_TWO, "13:00 paused, 14:00 missed"),
    "after the pause": ({"catch_up": "latest"}, 210, TO_TWO, "13:00 paused, 14:00 missed, 15:00 pending"),
    "after the pause, catch up all": ({"catch_up": "all"}, 150, TO_TWO, "13:00 paused, 14:00 pending"),
    "none was due after the pause": ({}, 80, {"pause": Pause(NOON, NOON + 70 * MINUTE)}, "13:00 paused"),
}
"""The policies, how many minutes after noon it is planned, the state, and what becomes of each instant."""


@pytest.mark.parametrize(("policies", "after_noon", "state", "fates"), FATES.values(), ids=FATES)
def test_what_becomes_of_each_instant(
    policies: dict[str, Any], after_noon: float, state: dict[str, Any], fates: str
) -> None:
    """Rules 13 and 14."""
    found = planned(hourly(**policies), NOON + after_noon * MINUTE, **state)
    assert ", ".join(told(found)) == fates


def test_the_plan_names_what_is_due_next_and_plans_nothing_twice() -> None:
    found = planned(hourly(), NOON + HOUR)
    assert (found.next_due, found.planned_until, found.more) == (NOON + 2 * HOUR, NOON + HOUR, False)
    assert planned(hourly(), NOON + HOUR, since=NOON + HOUR).runs == ()
    back = planned(hourly(), NOON - 5 * HOUR)
    assert (back.planned_until, back.next_due) == (NOON, NOON + HOUR), "a clock that steps back moves nothing back"


@pytest.mark.parametrize(
    "schedule", [hourly(enabled=False), a_schedule("resize", OnRequest())], ids=lambda one: one.name
)
def test_what_is_disabled_or_due_on_request_only_has_no_instants(schedule: Schedule) -> None:
    """Rule 13."""
    found = planned(schedule, NOON + 5 * HOUR)
    assert (found.runs, found.next_due, found.planned_until, found.more) == ((), None, NOON + 5 * HOUR, False)


@pytest.mark.parametrize(("catch_up", "expected"), [("latest", "pending"), ("all", "pending"), ("skip", "missed")])
def test_a_single_instant_in_the_past_that_never_ran_is_one_missed_instant(catch_up: Any, expected: str) -> None:
    schedule = Schedule(name="once", at=NOON, catch_up=catch_up)
    state = first_state(schedule, NOON + 5 * HOUR)
    found = plan("shop", schedule, state, NOON + 5 * HOUR)
    assert told(found) == [f"12:00 {expected}"]
    assert found.next_due is None
    later = replace(state, planned_until=found.planned_until)
    assert plan("shop", schedule, later, NOON + 9 * HOUR).runs == ()


def test_a_changed_definition_counts_from_the_change_and_never_backwards() -> None:
    """Rule 13."""
    state = PlanState(NOON, NOON, unfinished=True, pause=PAUSED, stretch=Stretch("paused", 3))
    changed = changed_state(state, NOON + 5 * HOUR)
    assert changed == PlanState(NOON + 5 * HOUR, NOON + 5 * HOUR, unfinished=True, pause=PAUSED)
    assert changed_state(state, NOON - HOUR).planned_until == NOON


def test_beyond_the_newest_thousand_of_a_stretch_one_counted_row_stands_for_the_rest() -> None:
    """Rule 13."""
    store = Store(Schedule(name="often", cron="* * * * *"), PlanState(NOON, NOON))
    now = NOON + 5_000 * MINUTE + timedelta(seconds=90)
    store.until_planned(now)
    counted, *own, last = store.rows.values()
    assert (counted.count, counted.scheduled_for, counted.last_scheduled_for, counted.reason) == (
        *(4_000, NOON + MINUTE, NOON + 4_000 * MINUTE),
        "missed",
    )
    assert [run.reason for run in own] == ["missed"] * 1000
    assert last.state == "pending"
    assert store.calls == 2
    store.assert_each_has_one_run(NOON, now)


def test_a_stretch_goes_on_over_many_plans_and_ends_with_a_run() -> None:
    store = Store(Schedule(name="often", cron="* * * * *"), PlanState(NOON, NOON, pause=PAUSED))
    for number in range(1, 1_201):
        store.until_planned(NOON + number * MINUTE)
    assert len(store.rows) == 1_001
    assert store.state.stretch == Stretch("paused", 1_200, NOON + 1_001 * MINUTE)
    store.state = replace(store.state, pause=None)
    store.until_planned(NOON + 1_201 * MINUTE)
    assert store.state.stretch is None
    store.state = replace(store.state, pause=PAUSED)
    store.until_planned(NOON + 1_202 * MINUTE)
    assert store.state.stretch == Stretch("paused", 1)
    store.assert_each_has_one_run(NOON, NOON + 1_202 * MINUTE)


@pytest.mark.usefixtures("passing_seconds")
@pytest.mark.parametrize("trigger", [{"cron": "* * * * *"}, {"cron": "* * * * * *"}, {"every": 0.1}])
def test_a_year_of_missed_instants_is_planned_in_a_few_short_steps(trigger: dict[str, Any]) -> None:
    schedule = Schedule(name="often", timezone="Europe/Berlin", **trigger)
    store = Store(schedule, PlanState(NOON, NOON))
    now = NOON + timedelta(days=365)
    began = time.process_time()
    store.until_planned(now)
    assert (time.process_time() - began) / store.calls < 1
    assert store.calls <= 3
    period = timedelta(seconds=schedule.every or (60 if trigger["cron"] == "* * * * *" else 1))
    assert sum(run.count for run in store.rows.values()) == timedelta(days=365) // period
    assert [run.scheduled_for for run in store.rows.values() if run.state == "pending"] == [now - MINUTE]


def test_a_stretch_that_was_counted_goes_on_in_a_counted_row_of_its_own() -> None:
    store = Store(Schedule(name="often", cron="* * * * *"), PlanState(NOON, NOON, pause=PAUSED))
    for minutes in (5_000, 5_001, 5_002, 9_000):
        store.until_planned(NOON + minutes * MINUTE)
    counts = [(run.scheduled_for - NOON) // MINUTE for run in store.rows.values() if run.last_scheduled_for]
    assert (counts, len(store.rows)) == ([1, 5_001], 1_002)
    store.assert_each_has_one_run(NOON, NOON + 9_000 * MINUTE)


def test_a_plan_never_makes_more_than_a_thousand_rows() -> None:
    """Rule 13."""
    schedule = Schedule(name="often", cron="* * * * *", overlap="allow", catch_up="all")
    found = planned(schedule, NOON + 1_800 * MINUTE)
    assert len(found.runs) == 1000
    assert found.more
    assert found.planned_until == NOON + 1_000 * MINUTE
    assert found.next_due == NOON + 1_001 * MINUTE


def test_jitter_is_the_same_everywhere_and_stays_below_its_bound() -> None:
    schedule = hourly(jitter=30.0)
    delays = [jitter("shop", schedule, NOON + number * HOUR) for number in range(200)]
    assert delays == [jitter("shop", schedule, NOON + number * HOUR) for number in range(200)]
    assert all(timedelta(0) <= delay < timedelta(seconds=30) for delay in delays)
    assert len(set(delays)) > 190
    assert jitter("other", schedule, NOON) != jitter("shop", schedule, NOON)
    [run] = planned(schedule, NOON + HOUR).runs
    assert run.available_at == NOON + HOUR + jitter("shop", schedule, NOON + HOUR)
    assert planned(hourly(), NOON + HOUR).runs[0].available_at == NOON + HOUR


LIMITS = st.sampled_from([(1_000, 1_000, 2_000), (7, 5, 50), (3, 2, 40), (5, 40, 60)])
"""Of the rows of a plan, of a stretch and what is caught up, and of what is undecided."""


@contextmanager
def limited_to(rows: int, stretch: int, undecided: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "MOST_ROWS", rows)
        patch.setattr(planning, "LONGEST_STRETCH", stretch)
        patch.setattr(planning, "UNDECIDED", undecided)
        patch.setattr(planning, "MOST_CAUGHT_UP", stretch)
        yield


TRIGGERS: list[Trigger] = [
    Cron("* * * * *"),
    Cron("*/10 * * * * *"),
    Cron("0 * * * *"),
    Every(7.5),
    Every(90.0),
    At(NOON + HOUR),
]
STEPS = st.tuples(st.sampled_from([1, 20, 61, 600, 2_400]), st.booleans(), st.booleans())


@given(
    trigger=st.sampled_from(TRIGGERS),
    policies=st.fixed_dictionaries(
        {
            "catch_up": st.sampled_from(["skip", "latest", "all"]),
            "overlap": st.sampled_from(["skip", "queue", "allow"]),
            "start_within": st.sampled_from([None, 30.0, 300.0]),
        }
    ),
    steps=st.lists(STEPS, min_size=1, max_size=8),
    limits=LIMITS,
)
@pytest.mark.usefixtures("passing_seconds")
def test_planning_in_any_number_of_calls_gives_each_instant_exactly_one_run(
    trigger: Trigger, policies: dict[str, Any], steps: list[tuple[int, bool, bool]], limits: tuple[int, int, int]
) -> None:
    with limited_to(*limits):
        store = Store(a_schedule("any", trigger, **policies), PlanState(NOON, NOON))
        now = NOON
        for seconds, paused, unfinished in steps:
            now += timedelta(seconds=seconds)
            store.state = replace(store.state, pause=PAUSED if paused else None, unfinished=unfinished)
            store.until_planned(now)
        store.assert_each_has_one_run(NOON, now)


# A pause that ends by itself: instants before its end do not run, those from it on do, whenever that is planned


def test_an_instant_at_the_very_end_of_a_pause_runs_and_the_one_before_does_not() -> None:
    found = planned(hourly(), NOON + 3 * HOUR, pause=Pause(NOON, NOON + 3 * HOUR))
    assert told(found) == ["13:00 paused", "14:00 paused", "15:00 pending"]
    assert found.ends_pause
    assert (found.planned_until, found.next_due, found.more) == (NOON + 3 * HOUR, NOON + 4 * HOUR, False)


def test_a_pause_that_has_not_ended_goes_on_after_the_plan() -> None:
    assert not planned(hourly(), NOON + 2 * HOUR, pause=Pause(NOON, NOON + 3 * HOUR)).ends_pause
    assert not planned(hourly(), NOON + 2 * HOUR, pause=Pause(NOON)).ends_pause


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
