"""A run on request: who asked and why, what it waits for, and what cannot be asked for (rule 14)."""

import json
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import delete, select

from daemon.definitions.values.refusal import Refusal
from daemon.definitions.values.strings import MOST_BYTES, parsed
from daemon.errors import NotRecordable
from daemon.operations.trigger import (
    MomentHasPassed,
    NoSuchSchedule,
    Requested,
    UnfitParameter,
    request,
    trigger,
    trigger_as,
)
from daemon.store.tables import act, run
from tests.support.store import PAST, Store, a_schedule
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.conformance
DECLARED: dict[str, Any] = {"any": None, "count": 7, "deep": False, "name": "all", "rows": [], "share": 0.25}


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


def test_two_callers_of_one_key_at_once_get_one_run(database_url: str) -> None:
    """Whichever commits first; the other is told its number."""
    with Store(database_url) as store:
        store.sync(a_schedule("daily"))
    barrier, told = Barrier(4), list[Requested]()

    def call() -> None:
        with Store(database_url) as own:
            barrier.wait(LIMIT)
            told.append(own.do(trigger_as, request("shop", "daily", requested_by="ada", key="k")))

    threads = [Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    with Store(database_url) as store:
        (only,) = store.runs()
    assert sorted(one.already for one in told) == [False, True, True, True]
    assert {one.run_id for one in told} == {only.id}
