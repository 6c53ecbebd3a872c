"""A run on request: who asked and why, what it waits for, and what cannot be asked for (rule 14); one for a moment stands in
nobody's way until then, and takes its place (rule 23).
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from daemon.definitions.values.refusal import Refusal
from daemon.definitions.values.strings import MOST_BYTES, parsed
from daemon.errors import NotRecordable
from daemon.operations.cancel import cancel
from daemon.operations.trigger import (
    MomentHasPassed,
    NoSuchSchedule,
    Requested,
    UnfitParameter,
    request,
    trigger,
    trigger_as,
)
from daemon.scheduling import plan_due as planning
from daemon.service.waking.idle_wait import read_agenda
from daemon.store.tables import act, run, schedule
from daemon.store.views.causes import WaitsForStart
from daemon.store.views.history import read_run
from daemon.store.views.overview import read_overview
from lease.database.dialects import now
from tests.support.completion import finish_run
from tests.support.store import PAST, Store, a_schedule

LATER = datetime(2099, 1, 1, tzinfo=UTC)
DAILY = a_schedule("daily")
DECLARED: dict[str, Any] = {"any": None, "count": 7, "deep": False, "name": "all", "rows": [], "share": 0.25}


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(DAILY)
    return store


def test_a_manual_run_is_due_at_once_and_says_who_asked_and_why(store: Store) -> None:
    daily = a_schedule("daily", params={"shop": 7, "deep": False})
    store.sync(daily)
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", why="a test", params={"deep": True})
    row = store.run(run_id)
    assert (row.trigger, row.requested_by, row.requested_why) == ("manual", "ada", "a test")
    assert json.loads(row.params) == {"shop": 7, "deep": True}
    assert [one.run_id for one in store.claim("daily")] == [run_id]


def test_parameters_of_up_to_a_million_bytes_are_taken_and_larger_ones_refused_with_their_size(store: Store) -> None:
    store.sync(a_schedule("daily", params={"shop": 7, "rows": ""}))
    frame = len(json.dumps({"shop": 7, "rows": ""}))
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", params={"rows": "x" * (MOST_BYTES - frame)})
    assert len(store.run(run_id).params) == MOST_BYTES
    with pytest.raises(NotRecordable) as told:
        store.do(trigger, "shop", "daily", requested_by="ada", params={"rows": "x" * (MOST_BYTES - frame + 1)})
    assert str(told.value) == (
        "params: the parameters have 1,000,001 bytes as JSON, but at most 1,000,000 are allowed; store larger data "
        "elsewhere, and pass its address"
    )


def test_a_manual_run_waits_behind_an_unfinished_one_and_is_never_dropped(store: Store) -> None:
    """With overlap = "skip" too: a person asked for it."""
    daily = a_schedule("daily", overlap="skip")
    store.sync(daily)
    first = store.do(trigger, "shop", "daily", requested_by="ada")
    second = store.do(trigger, "shop", "daily", requested_by="ada")
    assert (store.run(second).state, store.run(second).available_at) == ("pending", None)
    assert [one.run_id for one in store.claim("daily")] == [first]


def test_triggering_what_is_not_there_or_retired_is_one_sentence(store: Store) -> None:
    store.sync(a_schedule("daily"), a_schedule("goes"))
    store.sync(a_schedule("daily"))
    with pytest.raises(NoSuchSchedule, match='"shop" has no schedule "dayly"; did you mean "daily"'):
        store.do(trigger, "shop", "dayly", requested_by="ada")
    with pytest.raises(NoSuchSchedule, match='"shopp" has no schedule "daily"; there are none yet: `leased run FILE`'):
        store.do(trigger, "shopp", "daily", requested_by="ada")
    with pytest.raises(NoSuchSchedule, match="was retired by a deploy; define it again"):
        store.do(trigger, "shop", "goes", requested_by="ada")


# Parameters


def test_a_parameter_that_is_not_declared_is_refused_with_the_nearest_name(store: Store) -> None:
    store.sync(a_schedule("daily", params={"customer": 7}), a_schedule("bare"))
    with pytest.raises(UnfitParameter) as told:
        store.do(trigger, "shop", "daily", requested_by="ada", params={"custmer": 8})
    assert str(told.value) == 'params: "daily" declares no parameter "custmer"; did you mean "customer"?'
    with pytest.raises(UnfitParameter, match='"bare" declares no parameter "x"; give it a default in `params`'):
        store.do(trigger, "shop", "bare", requested_by="ada", params={"x": 1})
    assert store.runs() == []


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"count": "8"}, 'the parameter "count" is a whole number, like its default 7, not "8"; give one of that type'),
        ({"count": True}, 'the parameter "count" is a whole number'),
        ({"count": 7.5}, 'the parameter "count" is a whole number'),
        ({"share": "0.5"}, 'the parameter "share" is a number'),
        ({"share": False}, 'the parameter "share" is a number'),
        ({"deep": 1}, 'the parameter "deep" is true or false'),
        ({"name": None}, 'the parameter "name" is a string, like its default "all", not None'),
        ({"rows": {}}, 'the parameter "rows" is a list'),
        ({"share": float("nan")}, "a value in it cannot be stored"),
    ],
)
def test_a_parameter_of_another_type_is_refused(store: Store, given: dict[str, Any], what: str) -> None:
    store.sync(a_schedule("daily", params=DECLARED))
    with pytest.raises(UnfitParameter) as told:
        store.do(trigger, "shop", "daily", requested_by="ada", params=given)
    assert what in str(told.value)


def test_a_whole_number_goes_for_a_number_and_anything_where_null_is_declared(store: Store) -> None:
    store.sync(a_schedule("daily", params=DECLARED))
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", params={"share": 1, "any": ["x"]})
    assert json.loads(store.run(run_id).params) == {**DECLARED, "share": 1, "any": ["x"]}


def test_no_sentence_shows_the_value_of_a_secret(store: Store) -> None:
    store.sync(a_schedule("daily", params={"token": "hidden"}, secrets=["token"]))
    for given in ({"params": {"token": 12345}}, {"words": {"token": "12345", "tokn": "12345"}}):
        with pytest.raises(UnfitParameter) as told:
            store.do(trigger_as, request("shop", "daily", requested_by="ada", **given))
        assert not any(value in str(told.value) for value in ("hidden", "12345"))


def test_words_are_read_as_what_is_declared() -> None:
    words = {"count": "8", "share": "1", "deep": "true", "name": "8", "rows": "[1]", "any": "8"}
    right = {"count": 8, "share": 1, "deep": True, "name": "8", "rows": [1], "any": 8}
    assert parsed("daily", DECLARED, words) == right
    assert parsed("daily", DECLARED, {"any": "north"}) == {"any": "north"}
    for wrong in ("eight", "NaN", ""):
        with pytest.raises(Refusal, match='"count" is a whole number'):
            parsed("daily", DECLARED, {"count": wrong})


# Keys


def test_the_same_key_is_the_same_run_also_when_that_is_pruned(store: Store) -> None:
    store.sync(a_schedule("daily", overlap="allow"), a_schedule("other"))
    wanted = request("shop", "daily", requested_by="ada", key="order 7")
    first = store.do(trigger_as, wanted)
    assert (first.already, store.do(trigger_as, wanted)) == (False, Requested(first.run_id, already=True))
    store.do(lambda connection: connection.execute(delete(run).where(run.c.id == first.run_id)))
    again = store.do(trigger_as, request("shop", "daily", requested_by="bob", key="order 7", at="1h"))
    assert again == Requested(first.run_id, already=True)
    assert store.runs() == []
    assert not store.do(trigger_as, request("shop", "other", requested_by="ada", key="order 7")).already
    acts = store.rows(select(act.c.act, act.c.acted_by, act.c.run_id).order_by(act.c.id))
    assert [tuple(row) for row in acts] == [("trigger", "ada", first.run_id), ("trigger", "ada", store.runs()[0].id)]


def test_what_is_no_text_and_no_mapping_is_refused_with_a_sentence() -> None:
    with pytest.raises(NotRecordable, match="the key is 4711, which is not a string; write it as one"):
        request("shop", "daily", requested_by="ada", key=4711)  # type: ignore[arg-type]
    with pytest.raises(NotRecordable, match=r"the schedule is <function .*, which is not a name; write its name as"):
        request("shop", request, requested_by="ada")  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(UnfitParameter, match=r"params: \[7\] is not a mapping of names and values"):
        request("shop", "daily", requested_by="ada", params=[7])  # type: ignore[arg-type]


def test_a_refused_request_leaves_its_key_free(store: Store) -> None:
    store.sync(a_schedule("daily", params={"shop": 7}))
    with store.begin() as connection:
        with pytest.raises(UnfitParameter):
            trigger(connection, "shop", "daily", requested_by="ada", key="k", params={"shop": "x"})
        with pytest.raises(MomentHasPassed, match="by the database's clock; leave out the time to start it now"):
            trigger(connection, "shop", "daily", requested_by="ada", key="k", at=PAST)
    assert not store.do(trigger_as, request("shop", "daily", requested_by="ada", key="k")).already


# For a moment


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


def test_while_its_schedule_is_locked_it_is_left_for_later(postgres: Store) -> None:
    daily = a_schedule("daily")
    postgres.sync(daily)
    run_id = postgres.do(trigger, "shop", "daily", requested_by="ada", at=LATER)
    its_moment_comes(postgres, run_id)
    with postgres.begin() as other:
        trigger(other, "shop", "daily", requested_by="bob")
        assert postgres.plan(daily).made == 0
    assert postgres.plan(daily).made == 1


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
    store.change(schedule, schedule.c.name == "bad", definition='{"name": "bad"}', digest="?")
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
