"""Which runs go, by what is kept, by when they ended, and by what they are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from daemon.pruning.choice import DAY, LEAST_AGE, Seen, age_kept, choose

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


OLD = Seen(1, scheduled=True, last=NOON, created_for=41 * DAY, ended_for=40 * DAY, goes_on=False)


@pytest.mark.parametrize(
    ("keep", "age"), [({"days": 30, "runs": 5}, 30 * DAY), ({"days": 1}, DAY), ({"runs": 5}, LEAST_AGE)]
)
def test_the_age_is_that_of_the_days_or_else_an_hour(keep: dict[str, int], age: float) -> None:
    assert age_kept(keep) == age


@pytest.mark.parametrize(
    ("run", "goes"),
    [
        (OLD, True),
        (replace(OLD, ended_for=30 * DAY), False),
        (replace(OLD, ended_for=None), False),
        (replace(OLD, goes_on=True), False),
        (replace(OLD, scheduled=False), True),
    ],
    ids=["old", "no older than is kept", "not over", "the row in which the stretch goes on", "requested"],
)
def test_a_run_goes_that_ended_longer_ago_than_is_kept(run: Seen, *, goes: bool) -> None:
    assert choose([run], 30 * DAY, 0, 10).ids == ((1,) if goes else ())


def test_the_instants_are_those_of_the_runs_that_go_and_were_due() -> None:
    later, latest = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    seen = [
        replace(OLD, id=1),
        replace(OLD, id=2, last=later),
        replace(OLD, id=3, last=latest, scheduled=False),
        replace(OLD, id=4, last=latest, ended_for=0.0),
    ]
    assert choose(seen, 30 * DAY, 0, 10).until == later
    assert choose(seen[2:], 30 * DAY, 0, 10).until is None
    assert choose([], 30 * DAY, 7, 10).until is None


def test_it_goes_on_behind_the_last_one_while_there_may_be_more_that_ended_so_long_ago() -> None:
    seen = [replace(OLD, id=3), replace(OLD, id=8)]
    assert (choose(seen, 30 * DAY, 0, 2).more, choose(seen, 30 * DAY, 0, 2).after) == (True, 8)
    assert not choose(seen, 30 * DAY, 0, 3).more, "there were no others"
    young = [replace(OLD, id=3), replace(replace(OLD, id=8), created_for=29 * DAY, ended_for=1.0)]
    assert not choose(young, 30 * DAY, 0, 2).more, "none behind it can have ended so long ago"
    assert choose([], 30 * DAY, 7, 2).after == 7
