"""A run on request: who asked and why, what it waits for, and what cannot be asked for (rule 14)."""

import json
from collections.abc import Iterator

import pytest

from daemon.definitions.values.tables import MOST_BYTES
from daemon.errors import NotRecordable
from daemon.operations.trigger import NoSuchSchedule, trigger
from tests.support.store import Store, a_schedule

pytestmark = pytest.mark.conformance


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as opened:
        yield opened


def test_a_manual_run_is_due_at_once_and_says_who_asked_and_why(store: Store) -> None:
    daily = a_schedule("daily", params={"shop": 7, "deep": False})
    store.sync(daily)
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", why="a test", params={"deep": True})
    row = store.run(run_id)
    assert (row.trigger, row.requested_by, row.requested_why) == ("manual", "ada", "a test")
    assert json.loads(row.params) == {"shop": 7, "deep": True}
    assert [one.run_id for one in store.claim("daily")] == [run_id]


def test_parameters_of_up_to_a_million_bytes_are_taken_and_larger_ones_refused_with_their_size(store: Store) -> None:
    store.sync(a_schedule("daily", params={"shop": 7}))
    frame = len(json.dumps({"shop": 7, "rows": ""}))
    run_id = store.do(trigger, "shop", "daily", requested_by="ada", params={"rows": "x" * (MOST_BYTES - frame)})
    assert len(store.run(run_id).params) == MOST_BYTES
    with pytest.raises(NotRecordable) as told:
        store.do(trigger, "shop", "daily", requested_by="ada", params={"rows": "x" * (MOST_BYTES - frame + 1)})
    assert str(told.value) == (
        "params: the parameters have 1,000,001 bytes as JSON, but 1,000,000 are the most; keep what is larger "
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
    with pytest.raises(NoSuchSchedule, match="is retired; define it again"):
        store.do(trigger, "shop", "goes", requested_by="ada")
