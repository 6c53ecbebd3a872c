"""Problems of a campaign are named, and so is a campaign in which too little happened."""

import json
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.jobs.processes.identity import ProcessIdentity
from daemon.states import EndState
from lease.model import Grant
from lease.timing import LeaseTiming
from tests.chaos.callers import told_wrongly
from tests.chaos.campaign import SLOTS
from tests.chaos.fleet import End, Told, ToldAtOnce, ToldTwice
from tests.chaos.history import Clocks, Loss, given_back, losses
from tests.chaos.judgement import TTL, Result, excused
from tests.chaos.lanes import Done
from tests.chaos.report import false_losses, problems, summarize, table, taken_alive
from tests.chaos.users.plans import PEOPLE
from tests.chaos.users.records import Broken, Users, Visit
from tests.chaos.witness.sets import Sets, Sizes
from tests.checker import Bounds, Promise, Violation, check
from tests.checker.facts import (
    BackfillRecorded,
    Due,
    Fact,
    GrantBegan,
    GrantEnded,
    GrantRenewed,
    Recorded,
    RunClaimed,
    RunSettled,
    Starved,
    Worked,
    Written,
)

from .trouble import BLOCKER, KILLER, Ended, made, paid_for_others

START = datetime(2026, 1, 1, tzinfo=UTC)
CLOCKS = Clocks(START.timestamp(), START.timestamp())
"""Return clocks by which the machine booted when the campaign began."""
TOGETHER = Sets(Sizes(Counter({2: 1})), Sizes(Counter({2: 1})))
PROCESS = ProcessIdentity(4711, 1)
GRANT = Grant("run/chaos/long", 1, "anna")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


RECORDED = BackfillRecorded(3, "steps", at(0), at(9), 1, 4)


def caller(backfill_id: int | None, will_run: int) -> Told:
    return Told(0, json.dumps({"backfill_id": backfill_id, "will_run": will_run}))


ASKED, AGAIN = caller(3, 4), caller(None, 0)


def facts() -> list[Fact]:
    return [
        Due("long", START),
        Recorded(1, "long", START, START, 1, "succeeded", over=True, succeeded={"long": 1}),
        Written(GRANT, at(1), 1, "long"),
    ]


def with_end(schedule: str, state: EndState) -> Recorded:
    return Recorded(2, schedule, START, START, 1, state, over=True)


def good(**changes: Any) -> Result:
    """Return a small campaign with nothing wrong."""
    told = Result(
        "postgres",
        7,
        60.0,
        facts=facts(),
        statuses=dict.fromkeys(SLOTS, 143),
        balance=1,
        effects=1,
        acknowledged={(1, "long")},
        audit={"items": []},
        skipped={"overlap": 2},
        users=Users(visits=[Visit(user, "a", None, 0.0, 1.0, Grant("a", 1, user)) for user in PEOPLE]),
        clocks=CLOCKS,
    )
    return replace(told, **changes)


def test_a_good_campaign_has_no_problem() -> None:
    assert problems(good()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"violations": [Violation(Promise.WRITES, "a zombie wrote")]}, "writes: a zombie wrote"),
        ({"audit": {"items": [{"what": "token went down"}]}}, "leased audit: token went down"),
        ({"balance": 2}, "1 effects, but 2 on the account"),
        ({"strays": [4711]}, "1 processes outlived their replicas"),
        ({"facts": [*facts(), GrantBegan(Grant("slotted/3", 1, "anna"), START, START)]}, "a lock with 2 slots was granted as slotted/3"),
        ({"held": ["users/till"]}, "users/till: held, though every replica has ended"),
        ({"skipped": {"paused": 3}}, "3 instants were skipped: paused"),
        ({"missed": 3}, "3 instants were missed of schedules that every release has"),
        ({"acts": [ToldTwice("run cancelled twice", ("already",), Told(0, "marked"), Told(0, "run 1 is marked as cancelled"))]}, "run cancelled twice: the second time it was told: run 1 is marked as cancelled"),
        ({"statuses": {SLOTS[0]: 143, SLOTS[1]: 1, SLOTS[2]: 143}}, f"replica {SLOTS[1]} ended its drain with status 1"),
        ({"statuses": {SLOTS[0]: 143, SLOTS[1]: 143}}, f"replica {SLOTS[2]} ended its drain with status None"),
        ({"ends": [End("north", -11, 1.0, "boom", starting=False)]}, "replica north ended by itself with status -11: boom"),
        ({"seconds": 61.0, "sets": Sets(Sizes(Counter({1: 9})), Sizes(Counter({2: 1})))}, "no two runs were claimed in one set"),
        ({"seconds": 61.0, "sets": Sets(Sizes(Counter({2: 1})), Sizes())}, "no two runs were ended in one set"),
        ({"seconds": 61.0, "sets": TOGETHER, "users": replace(good().users, visits=good().users.visits[1:])}, "lock user anna was never granted anything"),
        ({"acknowledged": {(1, "long"), (2, "long")}}, "the effect of job long of run 2 is gone, which was committed"),
        ({"at_once": [ToldAtOnce("asked", (ASKED, ASKED))], "facts": [*facts(), RECORDED]}, "asked: both callers were told of backfill 3"),
        ({"bad_lines": ["north: Traceback"]}, "a replica says: north: Traceback"),
        ({"users": replace(good().users, stuck=["users/door"])}, "nobody could be granted 'users/door' when all its users had ended"),
        ({"facts": [*facts(), Due("long", at(1)), Due("long", at(2))]}, "only 1 of 3 occurrences ran"),
        (
            {"facts": [*facts(), with_end("steps", "failed")]},
            'no run of "steps" has succeeded',
        ),
        ({"seconds": 61.0, "sets": TOGETHER, "facts": [*facts(), with_end("frail", "failed")]}, 'no run of "frail" has succeeded'),
    ],
)  # fmt: skip
def test_each_thing_that_must_not_be_is_named(changes: dict[str, object], said: str) -> None:
    assert problems(good(**changes)) == [said]


@pytest.mark.parametrize(("schedule", "state"), [("frail", "failed"), ("steps", "cancelled")])
def test_a_short_campaign_may_be_without_a_success_where_chance_decides(schedule: str, state: EndState) -> None:
    assert problems(good(facts=[*facts(), with_end(schedule, state)], users=Users())) == []


# Losses


def a_loss(told: float) -> Loss:
    return Loss("north", GRANT.name, GRANT.token, "unreachable", at(told))


def lost(*faults: Done, told: float = 12.1) -> Result:
    """Return a lease that was granted at 10 s, never renewed, and lost."""
    granted = GrantBegan(GRANT, at(10), at(10 + TTL))
    return good(facts=[granted], losses=[a_loss(told)], faults=list(faults))


def a_fault(began: float, ended: float, slot: str | None = "north", *, costs: bool = True) -> Done:
    return Done("network cut", slot, began, ended, outage=False, costs_leases=costs)


@pytest.mark.parametrize(
    ("result", "number"),
    [
        pytest.param(lost(a_fault(10.1, 12.0)), 0, id="felt there"),
        pytest.param(lost(a_fault(10.1, 12.0, None)), 0, id="felt everywhere"),
        pytest.param(lost(a_fault(10.1, 12.0, "east")), 1, id="elsewhere"),
        pytest.param(lost(a_fault(10.1, 12.0, costs=False)), 1, id="costs none"),
        pytest.param(lost(a_fault(10.1, 10.1 + LeaseTiming(TTL).tolerated_outage / 3)), 1, id="too short"),
        pytest.param(lost(a_fault(5.0, 9.9)), 1, id="before"),
        pytest.param(lost(a_fault(10 + TTL, 20.0)), 1, id="after"),
        # Renewed once more at 10 s, when it had been given up already.
        pytest.param(lost(a_fault(8.2, 9.9), told=10.05), 0, id="by an earlier renewal"),
        pytest.param(lost(a_fault(8.2, 9.9)), 1, id="by a later renewal"),
        pytest.param(lost(a_fault(10.1, 12.0), told=20.0), 0, id="told late, after a pause"),
        pytest.param(replace(lost(), losses=[replace(a_loss(12.1), cause="broken by anna")]), 0, id="by a break"),
    ],
)
def test_a_loss_is_false_unless_a_fault_was_felt_there_for_long_enough(result: Result, number: int) -> None:
    told = false_losses(result)
    assert [one.partition(";")[0] for one in told] == [f"north lost {GRANT.name} (token 1): unreachable"] * number


# A busy machine


def told_of(late: float, **changes: Any) -> str:
    result = good(busy=[(0.0, 10.0, late)], **changes)
    return "\n".join(table(result, summarize(result)))


def test_for_how_long_the_machine_was_busy_is_told_and_what_would_be_late_if_that_counted() -> None:
    assert "this machine was busy         40%" in told_of(4.0)
    assert "if that counted, 3 more would be late" in told_of(4.0, excused=3)


def test_where_it_was_too_busy_nothing_is_shown_of_what_is_promised_in_seconds() -> None:
    assert "not shown: what is promised in seconds" in told_of(6.1)
    assert "not shown: what is promised in seconds" not in told_of(5.9)


def test_what_would_be_late_is_what_only_a_busy_machine_excuses() -> None:
    idle: list[Fact] = [GrantBegan(GRANT, at(0), at(3)), GrantRenewed(GRANT, at(20))]
    bounds = Bounds(complete=True, idle=timedelta(seconds=10))
    for seconds, said in [(0, 0), (9, 0), (10, 1)]:
        busy = [*idle, Starved(at(0), at(20), timedelta(seconds=seconds))]
        assert excused(busy, bounds, check(busy, bounds)) == said


# Live leases


def settled(*, seen: float, ended: float, **changes: Any) -> Result:
    """Return a settled grant, live until 13 s, whose replica was last seen alive at ``seen``."""
    told: list[Fact] = [
        GrantBegan(GRANT, at(10), at(13)),
        RunClaimed(1, GRANT, at(10)),
        Worked(GRANT, at(10), at(10.5)),
        GrantEnded(GRANT, at(ended)),
        RunSettled(1, GRANT, at(ended)),
    ]
    return good(facts=told, holders={"anna": PROCESS}, **{"seen_alive": {PROCESS: seen}, **changes})


def test_a_live_lease_of_a_living_replica_that_is_settled_is_named() -> None:
    (told,) = taken_alive(settled(seen=15.0, ended=11.0, given_back={(GRANT.name, GRANT.token + 1)}))
    assert "the live lease 'run/chaos/long' (token 1) of process 4711" in told


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(settled(seen=10.9, ended=11.0), id="its replica is dead"),
        pytest.param(settled(seen=15.0, ended=13.1), id="stale"),
        pytest.param(settled(seen=15.0, ended=11.0, losses=[a_loss(13.0)]), id="lost"),
        pytest.param(settled(seen=15.0, ended=11.0, given_back={(GRANT.name, GRANT.token)}), id="given back"),
        pytest.param(
            settled(seen=15.0, ended=11.0, users=Users(broken=[Broken(GRANT, 11.0, 13.0, 11.0)])), id="broken"
        ),
        pytest.param(
            settled(seen=15.0, ended=11.0, seen_alive={PROCESS: 10.9, replace(PROCESS, start_time=2): 15.0}),
            id="another process has its id",  # a long campaign has more processes than there are ids
        ),
    ],
)
def test_any_other_lease_may_be_settled(result: Result) -> None:
    assert taken_alive(result) == []


# Callers of backfills


def said(*callers: Told) -> list[str]:
    return list(told_wrongly([ToldAtOnce("asked", callers)], [RECORDED]))


def test_one_caller_has_it_run_and_the_other_is_told_that_nothing_is_left() -> None:
    assert said(ASKED, AGAIN) == []
    assert said(AGAIN, ASKED) == []


def test_a_caller_that_cannot_reach_the_database_is_told_so() -> None:
    assert said(Told(1, "leased: the database cannot be used: no answer"), ASKED) == []


@pytest.mark.parametrize(
    ("callers", "problem"),
    [
        ((ASKED, ASKED), "asked: both callers were told of backfill 3"),
        ((ASKED, caller(7, 1)), "asked: a caller was told of backfill 7, which is not there"),
        ((caller(3, 5), AGAIN), "asked: a caller was told that 5 instants run in backfill 3, which has 4"),
        ((ASKED, caller(None, 2)), "asked: 2 instants will run, a caller was told, by no backfill"),
        ((ASKED, Told(1, "leased: no")), "asked: a caller was told: leased: no"),
        ((ASKED, Told(0, "done")), "asked: a caller was told: done"),
    ],
)
def test_each_wrong_answer_is_named(callers: tuple[Told, ...], problem: str) -> None:
    assert said(*callers) == [problem]


# Trouble, and what it costs others


def an_attempt(run: int, job: str, holder: str, state: str, error: str | None = None) -> Ended:
    return Ended(run, job, holder, state, START, at(5), error)


def died(run: int, *holders: str) -> list[Ended]:
    """Return the attempts of a run, each abandoned with its replica."""
    return [an_attempt(run, "long", holder, "abandoned") for holder in holders]


DONE = an_attempt(1, "long", "x", "succeeded")


def test_a_killer_that_fails_alone_is_right() -> None:
    killer = [an_attempt(2, KILLER, holder, "abandoned") for holder in ("one", "two", "three")]
    assert paid_for_others([*died(1, "one", "two"), DONE, *killer, *died(3, "three")]) == []
    assert made(killer, KILLER) == 3
    assert made(killer, BLOCKER) == 0


def test_two_that_lose_their_last_chance_by_one_death_are_named() -> None:
    told = [*died(1, "one", "two", "three"), *died(2, "one", "two", "three")]
    assert paid_for_others(told) == ["runs 1, 2 lost their last chance by one death of three"]


def test_one_that_was_over_when_the_other_began_did_not_end_by_its_death() -> None:
    """The replica was only cut off then, and has claimed the other since."""
    first, last = died(1, "one", "two", "three"), died(2, "one", "two", "three")
    last[-1] = replace(last[-1], began=at(5), over=at(6))
    assert paid_for_others([*first, *last]) == []
    last[-1] = replace(last[-1], began=at(4.99))
    assert paid_for_others([*first, *last]) == ["runs 1, 2 lost their last chance by one death of three"]


def test_whoever_succeeded_in_between_has_three_chances_again() -> None:
    told = [*died(1, "one", "two"), DONE, *died(1, "three"), *died(2, "one", "two", "three")]
    assert paid_for_others(told) == []


@pytest.mark.parametrize("job", [KILLER, BLOCKER])
def test_trouble_that_succeeds_is_named(job: str) -> None:
    assert paid_for_others([an_attempt(2, job, "one", "succeeded")]) == [f"an attempt of {job} succeeded in run 2"]


def test_a_shortage_that_fails_an_attempt_is_named() -> None:
    short = an_attempt(1, "long", "one", "failed", "this process has run out of file descriptors")
    assert paid_for_others([short]) == [
        "a shortage used up an attempt of long of run 1: this process has run out of file descriptors"
    ]


# Logs of replicas


@pytest.mark.parametrize("moved", [0, 3, -26], ids="{:+} h".format)
def test_a_loss_is_read_with_its_true_time_however_the_wall_clock_was_moved(moved: int, tmp_path: Path) -> None:
    now = datetime.fromtimestamp(round(time.time(), 3), UTC)
    said = {"message": "lease lost", "timestamp": (now + timedelta(hours=moved)).isoformat().replace("+00:00", "Z")}
    log = tmp_path / "north-1.log"
    log.write_text(f"ready\n{json.dumps({**said, 'lease': 'a', 'token': 7, 'cause': 'cut off'})}\n")

    assert list(losses([("north", log)], Clocks.now())) == [Loss("north", "a", 7, "cut off", now)]


def test_what_a_replica_gave_back_as_a_grant_without_work_is_read_from_its_log(tmp_path: Path) -> None:
    said = {"lease": "run/chaos/steps", "token": 36, "message": "a grant whose reply was lost was released"}
    log = tmp_path / "north-1.log"
    log.write_text(f"ready\n{json.dumps(said)}\n{json.dumps({**said, 'message': 'lease granted'})}\n")
    assert list(given_back([("north", log)])) == [("run/chaos/steps", 36)]
