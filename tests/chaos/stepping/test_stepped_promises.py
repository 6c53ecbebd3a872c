"""What is promised where the database's clock steps: each broken promise is named."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lease.model import Grant
from lease.timing import LeaseTiming
from tests.chaos.history import Clocks
from tests.checker import Promise
from tests.checker.facts import Fact, GrantBegan, GrantRenewed, RunClaimed, RunMarked, Worked

from .promises import granted_while_live, in_true_time, outlived, second_holders
from .reports import Report, false_reports, reports, unreported
from .steps import Step, SteppedClocks, Steps

START = datetime.now(UTC)
FIRST, SECOND = Grant("a", 1, "one"), Grant("a", 2, "two")
FORWARD, BACK = Step(10.0, 60.0), Step(20.0, -60.0)


def clocks(*steps: Step) -> SteppedClocks:
    """Return clocks by which the machine booted now."""
    return SteppedClocks.of(Clocks(START.timestamp(), START.timestamp()), Steps(steps))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def granted(second: float) -> list[Fact]:
    """Return a grant of 15 s, and the next one."""
    return [GrantBegan(FIRST, at(0), at(15)), GrantBegan(SECOND, at(second), at(second + 15))]


def test_a_lease_is_stale_from_the_moment_at_which_the_clock_showed_its_end() -> None:
    first, renewed = in_true_time([granted(10.5)[0], GrantRenewed(FIRST, at(21), at(36))], clocks(FORWARD, BACK))
    assert isinstance(first, GrantBegan)
    assert isinstance(renewed, GrantRenewed)
    assert (first.until, renewed.until) == (at(10), at(36))


def test_what_replaces_a_run_started_when_it_was_claimed_and_not_when_its_row_says() -> None:
    claims = [RunClaimed(9, Grant("daily", token, "anna"), at(when)) for token, when in ((5, 12), (6, 14))]
    mark = RunMarked(7, "daily", at(10), "cancelled", at(99), replaced_by=9, newer_start=at(11))
    *_, told = in_true_time([*claims, mark], clocks(), {7: at(11.5)})
    assert isinstance(told, RunMarked)
    assert (told.ended, told.newer_start) == (at(11.5), at(12))


def test_one_that_is_granted_while_it_is_live_again_is_named() -> None:
    assert list(granted_while_live(granted(10.5), clocks(FORWARD))) == []
    assert list(granted_while_live(granted(15.5), clocks())) == []
    back_at_once = clocks(Step(5.0, 60.0), Step(6.0, -60.0))
    (found,) = granted_while_live(granted(10.0), back_at_once)
    assert found.promise is Promise.OVERLAP


def test_work_that_outlives_its_holders_own_clock_is_named_and_early_holders_are_counted() -> None:
    timing = LeaseTiming(15)
    worked = Worked(FIRST, at(0), at(timing.give_up + timing.kill_time))
    assert list(outlived([*granted(10.5), worked], timing)) == []
    (found,) = outlived([*granted(10.5), Worked(FIRST, at(0), at(14))], timing)
    assert second_holders([found]) == ([], 1)


def test_what_replicas_say_of_steps_is_compared_with_them(tmp_path: Path) -> None:
    log = tmp_path / "north-1.log"
    said = {"message": "the database's clock stepped", "seconds": 59.9, "timestamp": at(10.4).isoformat()}
    log.write_text(f"up\n{json.dumps(said)}\n")
    renewals = [
        GrantRenewed(Grant("a", 1, who), at(when), at(99)) for who in ("one", "two") for when in (9.9, 10.4, 20.5)
    ]
    (told,) = reports([("north", log)], clocks(FORWARD, BACK))
    assert list(false_reports([told], [FORWARD, BACK])) == []
    assert list(false_reports([Report("north", 21.0, 0.3)], [FORWARD, BACK])) == [], "it heard of both at once"
    assert list(false_reports([Report("north", 21.0, 60.0)], [BACK])) == [
        "replica north said that the database's clock had stepped by 60 s, which it had not"
    ]
    assert list(unreported([FORWARD], [told], renewals, {"one", "two"}, clocks(FORWARD))) == []
    assert list(unreported([FORWARD], [], renewals, {"one", "two"}, clocks(FORWARD))) == [FORWARD]
    assert list(unreported([FORWARD], [], renewals, {"one"}, clocks(FORWARD))) == [], "only one was there"
