"""Schedules that are paused and resumed: nothing is lost, nothing happens twice, and each says who and why (rule 23)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from daemon.definitions.schedule import Schedule
from daemon.definitions.triggers.trigger import Every
from daemon.errors import InvalidInstant, NotFound
from daemon.operations.pause import PausedSchedule, ResumedSchedule, pause, resume
from daemon.operations.selection import Selection, plan_some
from daemon.operations.trigger import trigger
from daemon.scheduling.deploys.sync import sync
from daemon.store import statements
from daemon.store.notices import WORK, Notice
from daemon.store.tables import act, run, schedule
from daemon.store.views.history import read_runs
from daemon.store.views.overview import read_overview
from tests.support.completion import finish_run, retry_run
from tests.support.store import Store, a_schedule, an_application, statements_on

POLL = a_schedule("poll", Every(20.0), catch_up="all", overlap="queue")
ONE = Selection("shop", "poll")


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(POLL)
    return store


def paused(store: Store, selected: Selection = ONE, *, by: str = "ann@web", **given: Any) -> list[PausedSchedule]:
    return store.do(pause, selected, requested_by=by, **given)


def resumed(store: Store, selected: Selection = ONE, *, by: str = "bob@web", **given: Any) -> list[ResumedSchedule]:
    return store.do(resume, selected, requested_by=by, **given)


def acts(store: Store) -> list[tuple[Any, ...]]:
    columns = (act.c.act, act.c.application, act.c.schedule, act.c.acted_by, act.c.why, act.c.effect)
    return [tuple(row) for row in store.rows(select(*columns).order_by(act.c.id))]


def everything(store: Store) -> list[Any]:
    return [*store.everything(), *store.rows(select(act))]


@pytest.mark.on_both
def test_what_is_due_while_it_is_paused_does_not_run_and_says_who_paused_it_and_why(store: Store) -> None:
    (done,) = paused(store, why="the bank is closed")
    assert (done.done, done.paused_by, done.paused_why, done.paused_until) == (
        "paused",
        "ann@web",
        "the bank is closed",
        None,
    )
    store.pass_time(50.0)
    assert store.planned(POLL) == {"paused": 2}
    since = store.schedules()["poll"].paused_at.astimezone(UTC)
    (line, _) = store.do(read_runs, limit=5)
    assert line.why_text == f"paused by ann@web since {since:%Y-%m-%d %H:%M:%S}Z: the bank is closed"
    assert acts(store) == [("pause", "shop", "poll", "ann@web", "the bank is closed", None)]


def test_what_was_due_before_the_pause_is_planned_first_and_runs(store: Store) -> None:
    store.pass_time(70.0)
    paused(store)
    assert [row.state for row in store.runs()] == ["pending"] * 3
    store.pass_time(40.0)
    assert store.planned(POLL) == {"paused": 2}


def test_manual_runs_runs_at_work_and_retries_go_on(store: Store) -> None:
    first, second = (store.do(trigger, "shop", "poll", requested_by="ada") for _ in range(2))
    (at_work,) = store.claim("poll")
    paused(store)
    store.do(retry_run, at_work, 0.0)
    (again,) = store.claim("poll")
    assert (again.run_id, at_work.run_id) == (first, first)
    store.do(finish_run, again, "succeeded")
    assert [one.run_id for one in store.claim("poll")] == [second]
    third = store.do(trigger, "shop", "poll", requested_by="ada")
    assert store.run(third).state == "pending"


def test_a_second_pause_does_nothing_and_says_who_paused_it_since_when_and_why(store: Store) -> None:
    (first,) = paused(store, why="closed", until=timedelta(hours=1))
    before = everything(store)
    (again,) = paused(store, by="eve")
    assert (again.done, again.paused_by, again.paused_why) == ("already paused", "ann@web", "closed")
    assert (again.paused_at, again.paused_until) == (first.paused_at, first.paused_until)
    (same,) = paused(store, by="eve", why="closed", until=first.paused_until)
    assert same.done == "already paused"
    assert everything(store) == before


@pytest.mark.on_both
def test_another_end_or_reason_changes_a_pause_and_since_when_it_is_stays(store: Store) -> None:
    (first,) = paused(store, why="closed", until=timedelta(hours=1))
    (later,) = paused(store, by="eve", until=timedelta(hours=2))
    assert (later.done, later.paused_by, later.paused_why, later.paused_at) == (
        "changed",
        "eve",
        "closed",
        first.paused_at,
    )
    assert later.paused_until is not None
    assert first.paused_until is not None
    assert later.paused_until > first.paused_until + timedelta(minutes=59)
    (other,) = paused(store, by="bob", why="still closed")
    assert (other.done, other.paused_why, other.paused_until) == ("changed", "still closed", later.paused_until)
    assert [effect.split(" since ")[0] for *_, effect in acts(store)[1:]] == [
        "changed: it was paused by ann@web",
        "changed: it was paused by eve",
    ]


def test_resume_says_what_passed_and_none_of_it_runs_later(store: Store) -> None:
    paused(store)
    store.pass_time(90.0)
    (done,) = resumed(store, why="open again")
    assert (done.resumed, done.passed, done.paused_by) == (True, 4, "ann@web")
    assert done.next_due == store.schedules()["poll"].next_due
    assert store.instants() == {"paused": 4}
    store.pass_time(20.0)
    assert store.planned(POLL) == {"pending": 1}
    effect = "4 scheduled times passed while it was paused; none of them will run"
    assert acts(store)[-1] == ("resume", "shop", "poll", "bob@web", "open again", effect)


def test_instants_of_an_earlier_pause_are_not_counted_again(store: Store) -> None:
    """A row that counts many instants of one pause does not grow by those of the next."""
    hourly = a_schedule("poll", Every(3600.0), starts=datetime(2020, 1, 1, tzinfo=UTC))
    store.sync(hourly)
    paused(store)
    hours = 3600.0 * 1_500
    store.shift(schedule, planned_until=-hours, paused_at=-hours, next_due=60.0 - hours)
    assert resumed(store)[0].passed in (1_499, 1_500, 1_501)
    assert store.schedules()["poll"].stretch_reason == "paused"
    paused(store)
    assert store.schedules()["poll"].stretch_reason is None
    assert resumed(store)[0].passed in (0, 1)


def test_from_its_end_on_instants_run_again_although_nobody_resumed_it_and_nothing_was_up(store: Store) -> None:
    paused(store, until=timedelta(seconds=45))
    store.pass_time(90.0)
    assert store.planned(POLL) == {"paused": 2, "pending": 2}
    row = store.schedules()["poll"]
    assert (row.paused_at, row.paused_by, row.paused_why, row.paused_until) == (None,) * 4
    (done,) = resumed(store)
    assert not done.resumed


def test_a_pause_that_has_ended_is_none_before_it_is_planned_either(store: Store) -> None:
    store.sync(a_schedule("poll", Every(3600.0)))
    paused(store, until=timedelta(seconds=45))
    (line,) = store.do(read_overview).schedules
    assert line.paused_by == "ann@web"
    store.pass_time(60.0)
    assert store.schedules()["poll"].paused_at is not None
    (line,) = store.do(read_overview).schedules
    assert (line.paused_at, line.paused_by, line.paused_until) == (None, None, None)
    assert not resumed(store)[0].resumed
    (again,) = paused(store, by="eve")
    assert (again.done, again.paused_by, again.paused_until) == ("paused", "eve", None)


def test_a_sync_keeps_a_pause_and_lets_one_that_has_ended_go(store: Store) -> None:
    (done,) = paused(store, why="closed", until=timedelta(hours=1))
    for changed in (a_schedule("poll", Every(30.0)), a_schedule("poll", Every(30.0), description="other")):
        store.sync(changed)
        row = store.schedules()["poll"]
        assert (row.paused_by, row.paused_why, row.paused_until) == ("ann@web", "closed", done.paused_until)
    store.sync()
    store.sync(POLL)
    assert store.schedules()["poll"].paused_by == "ann@web", "retired, and defined again"
    store.pass_time(3700.0)
    store.sync(a_schedule("poll", Every(40.0)))
    assert store.schedules()["poll"].paused_at is None


@pytest.mark.parametrize(
    "selected", [Selection(tag="money"), Selection("shop", tag="money"), Selection("shop"), Selection()]
)
@pytest.mark.on_both
def test_many_are_paused_and_resumed_in_as_many_statements_as_one(store: Store, selected: Selection) -> None:
    def counted(number: int) -> int:
        store.sync(*(a_schedule(f"s{each}", tags=["money"]) for each in range(number)))
        with statements_on(store.engine) as sent:
            assert [one.done for one in paused(store, selected)] == ["paused"] * number
            assert [one.schedule for one in resumed(store, selected)] == sorted(f"s{each}" for each in range(number))
        return len(sent)

    assert counted(2) == counted(30)


def test_of_many_each_says_for_itself_what_became_of_it(store: Store) -> None:
    store.sync(POLL, a_schedule("other"))
    paused(store)
    done = paused(store, Selection("shop"), by="eve")
    assert [(one.schedule, one.done, one.paused_by) for one in done] == [
        ("other", "paused", "eve"),
        ("poll", "already paused", "ann@web"),
    ]
    resumed(store)
    assert [(one.schedule, one.resumed) for one in resumed(store, Selection())] == [("other", True), ("poll", False)]
    assert [(what, name) for what, _, name, *_ in acts(store)] == [
        ("pause", "poll"),
        ("pause", "other"),
        ("resume", "poll"),
        ("resume", "other"),
    ]


def test_two_who_pause_at_the_same_moment_are_both_told_and_it_is_done_once(store: Store) -> None:
    store.sync(*(a_schedule(f"s{number}") for number in range(20)))
    with ThreadPoolExecutor(2) as pool:
        told = [
            one for found in pool.map(lambda by: paused(store, Selection(), by=by), ("ann", "bob")) for one in found
        ]
    assert sorted(one.done for one in told) == ["already paused"] * 20 + ["paused"] * 20
    assert len(acts(store)) == 20
    by = {name: row.paused_by for name, row in store.schedules().items() if row.retired_at is None}
    assert {one.schedule: one.paused_by for one in told} == by
    with ThreadPoolExecutor(2) as pool:
        ended = [
            one for found in pool.map(lambda by: resumed(store, Selection(), by=by), ("ann", "bob")) for one in found
        ]
    assert sorted(one.resumed for one in ended) == [False] * 20 + [True] * 20
    assert len(acts(store)) == 40


def test_of_a_pause_of_all_and_a_sync_at_once_neither_is_lost_and_neither_blocks_the_other(store: Store) -> None:
    def polls(seconds: float) -> list[Schedule]:
        return [a_schedule(f"p{number}", Every(seconds)) for number in range(30)]

    store.sync(*polls(20.0))
    with ThreadPoolExecutor(2) as pool:
        syncing = pool.submit(lambda: [store.sync(*polls(30.0 + number)) for number in range(5)])
        for _ in range(5):
            paused(store, Selection("shop"))
            resumed(store, Selection())
        paused(store, Selection("shop"))
        syncing.result()
    living = [row for row in store.schedules().values() if row.retired_at is None]
    assert {(row.paused_by, row.trigger) for row in living} == {("ann@web", "every 34s")}


def test_replicas_hear_of_a_pause_and_a_resume_with_its_commit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what a pause plans first some may start; and what is due after a resume is not late."""
    store.do(sync, an_application(a_schedule("daily"), name="office"))
    sent: list[tuple[str, Notice]] = []
    monkeypatch.setattr(
        "daemon.operations.pause.notify", lambda _, application, notice: sent.append((application, notice))
    )
    paused(store, ONE)
    paused(store, ONE)
    assert sent == [("shop", WORK)]
    sent.clear()
    paused(store, Selection())
    resumed(store, Selection())
    assert sent == [("office", WORK), ("office", WORK), ("shop", WORK)], "shop was paused before"
    sent.clear()
    resumed(store, Selection())
    assert sent == []


def test_of_a_pause_and_planning_at_once_no_instant_is_lost(store: Store) -> None:
    polls = [a_schedule(f"p{number}", Every(20.0), catch_up="all", overlap="queue") for number in range(10)]
    store.sync(*polls)
    store.pass_time(70.0)
    with ThreadPoolExecutor(2) as pool:
        planning = pool.submit(lambda: [store.plan(*polls).doubled for _ in range(5)])
        paused(store, Selection("shop"))
        assert planning.result() == [0] * 5
    assert store.instants() == {"pending": 30}


def test_a_crash_in_the_midst_of_a_pause_or_a_resume_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise ConnectionError("before the commit")

    store.pass_time(70.0)
    for what in (paused, resumed):
        before = everything(store)
        with monkeypatch.context() as patched:
            patched.setattr(statements.acts, "record_of_each", crash)
            with pytest.raises(ConnectionError):
                what(store)
        assert everything(store) == before
        paused(store)
        store.pass_time(70.0)


def test_an_end_that_has_passed_or_is_too_far_is_refused(store: Store) -> None:
    before = everything(store)
    for until in (datetime(2020, 1, 1, tzinfo=UTC), timedelta(0)):
        with pytest.raises(
            InvalidInstant, match=r"until must be in the future, but 2.*Z is not: the database's time is 2"
        ):
            paused(store, until=until)
    with pytest.raises(InvalidInstant, match="too far away"):
        paused(store, until=timedelta.max)
    with pytest.raises(InvalidInstant, match="has no time zone"):
        paused(store, until=datetime(2100, 1, 1))  # noqa: DTZ001 - that is the mistake
    assert everything(store) == before


@pytest.mark.parametrize(
    ("selected", "error", "sentence"),
    [
        (Selection("shop", "pol"), NotFound, 'there is no schedule "pol" of "shop"; did you mean "poll"?'),
        (Selection("shop", "gone"), NotFound, 'the schedule "gone" of "shop" was retired by a deploy at '),
        (Selection("shp", "poll"), NotFound, 'there is no application "shp"; did you mean "shop"?'),
        (Selection("shp"), NotFound, 'there is no application "shp"; did you mean "shop"?'),
        (Selection(tag="mony"), NotFound, 'no schedule has the tag "mony"; did you mean "money"?'),
    ],
)
def test_what_is_not_there_or_retired_is_one_sentence(
    store: Store, selected: Selection, error: type[Exception], sentence: str
) -> None:
    store.sync(POLL, a_schedule("gone"), a_schedule("rich", tags=["money"]))
    store.sync(POLL, a_schedule("rich", tags=["money"]))
    before = everything(store)
    for what in (paused, resumed):
        with pytest.raises(error) as told:
            what(store, selected)
        assert sentence in str(told.value)
    assert everything(store) == before


def test_all_of_nothing_is_an_error(database_url: str) -> None:
    with Store(database_url) as store, pytest.raises(NotFound, match="there are no schedules; `leased run FILE`"):
        paused(store, Selection())


def test_an_older_replica_may_not_plan_past_the_end_of_a_pause_and_nothing_is_lost(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows since when a schedule is paused, and would record all that is due from then on as paused."""
    paused(store, until=timedelta(seconds=45))
    store.pass_time(30.0)
    with monkeypatch.context() as older:
        older.setattr(statements.schedule, "end_pause", lambda *_: None)
        assert store.planned(POLL) == {"paused": 1}
        store.pass_time(60.0)
        before = store.everything()
        with pytest.raises(DBAPIError, match="knows no end of a pause"):
            store.plan(POLL)
    assert store.everything() == before
    assert store.planned(POLL) == {"paused": 1, "pending": 2}


def test_a_backlog_is_planned_in_parts_before_many_are_locked(store: Store) -> None:
    polls = [a_schedule(f"p{number}", Every(1.0), catch_up="all", overlap="allow") for number in range(4)]
    store.sync(*polls)
    store.pass_time(600.0)
    selected, parts = Selection("shop"), 1
    while store.do(plan_some, selected):
        parts += 1
    assert parts > 2
    assert len(store.runs(run.c.state == "pending")) >= 4 * 590
