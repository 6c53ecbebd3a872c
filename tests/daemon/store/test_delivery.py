"""The outbox: in order for each target, by one replica at a time, again if that was killed, and none lost."""

from typing import Any

import pytest
from sqlalchemy import Row, select, update

from daemon.answers.notify import notify_answer
from daemon.operations.trigger import trigger
from daemon.pruning.pruner import MESSAGES_KEPT, delete_old_records
from daemon.states import DeliveryKind
from daemon.store.statements import delivery as statements
from daemon.store.statements.delivery import LENT, NewDelivery
from daemon.store.tables import delivery, run, schedule
from daemon.store.views.targets import read_undelivered
from tests.support.completion import finish_run
from tests.support.store import Store, a_schedule

pytestmark = pytest.mark.conformance


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(a_schedule("nightly"))
    return store


def write(store: Store, *targets: str, kind: DeliveryKind = "run.failed") -> None:
    store.do(statements.add, "shop", [NewDelivery("nightly", None, kind, target) for target in targets])


def taken(store: Store) -> list[Row[Any]]:
    return store.do(statements.claim, "shop", 10)


def ids(rows: list[Row[Any]]) -> list[int]:
    return [row.id for row in rows]


def test_only_the_first_of_each_target_is_lent_and_the_next_when_it_is_done_with(store: Store) -> None:
    write(store, "a", "a", "b", "a")
    first, of_b = taken(store)
    assert [(row.target, row.attempts, row.called) for row in (first, of_b)] == [
        ("a", 1, "nightly"),
        ("b", 1, "nightly"),
    ]
    assert taken(store) == []
    store.do(statements.put_back, first, 5.0, "500")
    store.do(statements.end, of_b.id, "delivered")
    assert taken(store) == [], "the next waits behind the one that is tried again"
    store.shift(delivery, delivery.c.id == first.id, available_at=-1.0)
    (again,) = taken(store)
    assert (again.id, again.attempts, again.error) == (first.id, 2, "500")
    store.do(statements.end, again.id, "delivered")
    assert ids(taken(store)) == [first.id + 1]


def test_two_replicas_at_once_never_take_the_same_nor_the_next_of_one_target(store: Store) -> None:
    write(store, "a", "a")
    if store.sqlite:
        assert len(taken(store)) == 1, "one writes at a time"
        assert taken(store) == []
        return
    with store.begin() as one, store.begin() as other:
        assert len(statements.claim(one, "shop", 10)) == 1
        assert statements.claim(other, "shop", 10) == []
    assert taken(store) == []


def test_what_a_killed_replica_had_is_sent_again_by_another_and_its_late_answer_changes_nothing(store: Store) -> None:
    write(store, "a")
    (lost,) = taken(store)
    left = store.do(statements.until_due, "shop")
    assert left is not None
    assert 0 < left <= LENT
    store.shift(delivery, available_at=-1.0)  # the time for which it was lent has passed
    (again,) = taken(store)
    assert again.id == lost.id
    store.do(statements.put_back, lost, 0.0, "late")
    assert taken(store) == [], "it is lent to the other one"
    store.do(statements.end, again.id, "delivered")
    store.do(statements.end, lost.id, "given up")
    assert [row.outcome for row in store.rows(select(delivery.c.outcome))] == ["delivered"]


def test_one_message_tells_all_of_its_kind_that_wait_behind_it(store: Store) -> None:
    write(store, "a", "a", "b")
    write(store, "a", kind="run.late")
    write(store, "a")
    head = taken(store)[0]
    assert store.do(statements.fold, head) == 2
    rows = store.rows(select(delivery).order_by(delivery.c.id))
    assert [(row.target, row.kind, row.outcome, row.folded) for row in rows] == [
        ("a", "run.failed", None, 2),
        ("a", "run.failed", "folded", 0),
        ("b", "run.failed", None, 0),
        ("a", "run.late", None, 0),
        ("a", "run.failed", "folded", 0),
    ]


def a_run(store: Store, started: float) -> int:
    """Return a run that is over, and started so many seconds from now."""
    run_id = store.do(trigger, "shop", "nightly", requested_by="ada")
    (claimed,) = store.claim("nightly")
    store.do(finish_run, claimed, "succeeded")
    store.shift(run, run.c.id == run_id, started_at=started)
    return run_id


@pytest.mark.parametrize(
    ("waiting", "left"),
    [
        ("S S S", "S"),
        ("S F S F S", "F S"),
        ("S S F", "F"),
        ("F", "F"),
        ("s s S", "s s S"),
        ("f F", "f F"),
        ("o S", "o S"),
        ("b S", "b S"),
    ],
    ids=["successes", "failure", "last failure", "one", "started before", "failed before", "other schedule", "target"],
)
def test_of_the_pings_behind_one_that_failed_the_last_success_and_failure_are_kept(
    store: Store, waiting: str, left: str
) -> None:
    """Small: of a run that started before the one that failed was written, so its start may have been sent."""
    store.sync(a_schedule("nightly"), a_schedule("other"))
    write(store, "a", kind="ping.success")
    (head,) = taken(store)
    before, after = a_run(store, -60.0), a_run(store, 60.0)
    kinds: dict[str, DeliveryKind] = {"s": "ping.success", "f": "ping.fail"}
    for one in waiting.split():
        of = before if one in "sf" else after
        to, schedule_of = "b" if one == "b" else "a", "other" if one == "o" else "nightly"
        kind = kinds.get(one.lower(), "ping.success")
        store.do(statements.add, "shop", [NewDelivery(schedule_of, of, kind, to)])
    written = [row.id for row in store.rows(select(delivery.c.id).order_by(delivery.c.id))][1:]
    dropped = store.do(statements.drop_superseded, head)
    kept = {row.id for row in store.rows(select(delivery.c.id))}
    assert " ".join(one for one, number in zip(waiting.split(), written, strict=True) if number in kept) == left
    assert dropped == len(waiting.split()) - len(left.split())


def test_the_starts_of_runs_that_are_over_are_dropped_and_nothing_once_the_first_was_sent(store: Store) -> None:
    write(store, "a", kind="ping.success")
    (head,) = taken(store)
    over = a_run(store, 60.0)
    at_work = store.do(trigger, "shop", "nightly", requested_by="ada")
    of_runs: list[tuple[int, DeliveryKind]] = [(over, "ping.start"), (over, "ping.success"), (at_work, "ping.start")]
    store.do(statements.add, "shop", [NewDelivery("nightly", of, kind, "a") for of, kind in of_runs])
    store.do(statements.add, "shop", [NewDelivery("nightly", over, "ping.success", "a")])
    store.do(statements.end, head.id, "given up")
    assert store.do(statements.drop_superseded, head) == 0
    store.do(lambda connection: connection.execute(update(delivery).values(done_at=None, outcome=None)))
    assert store.do(statements.drop_superseded, head) == 2
    left = store.rows(select(delivery.c.run_id, delivery.c.kind).order_by(delivery.c.id))
    assert [tuple(row) for row in left][1:] == [(at_work, "ping.start"), (over, "ping.success")]


def test_what_was_lately_delivered_is_counted_by_target_and_kind(store: Store) -> None:
    write(store, "a", "a", "a")
    for ago in (61.0, 40.0, 1.0):
        (row,) = taken(store)
        store.do(statements.end, row.id, "delivered")
        store.shift(delivery, delivery.c.id == row.id, done_at=-ago)
    ((of, found),) = store.do(statements.lately_sent, "shop", 60.0).items()
    assert of == ("a", "run.failed")
    assert found.count == 2
    assert found.since == pytest.approx(40.0, abs=5.0)


def test_a_definition_of_a_later_version_does_not_keep_the_targets_of_others_from_being_shown(store: Store) -> None:
    store.sync(a_schedule("nightly"), a_schedule("weekly", notify="https://ops.example.com/hook"))
    later = update(schedule).where(schedule.c.name == "nightly")
    store.do(lambda connection: connection.execute(later.values(definition='{"notify": [{"queue": "ops"}]}')))
    assert [one.target for one in store.do(notify_answer, None).items] == ["https://ops.example.com/…"]


def test_a_target_that_is_gone_gets_nothing_more_until_it_is_resumed(store: Store) -> None:
    write(store, "a", "a", "b")
    head = taken(store)[0]
    store.do(statements.end, head.id, "gone", "410 Gone")
    store.do(statements.end_all, "shop", "a", "gone")
    assert store.do(statements.gone, "shop") == {"a"}
    assert [row.outcome for row in store.rows(select(delivery.c.outcome).where(delivery.c.target == "a"))] == [
        "gone"
    ] * 2
    store.do(statements.resume, "shop", "a")
    assert store.do(statements.gone, "shop") == set()


def test_messages_are_pruned_a_week_after_they_were_done_with_and_none_that_waits(store: Store) -> None:
    write(store, "a", "b", "c")
    first, second, waits = taken(store)
    for row in (first, second):
        store.do(statements.end, row.id, "delivered")
    store.shift(delivery, delivery.c.id == first.id, done_at=-MESSAGES_KEPT - 1)
    store.do(delete_old_records, "shop")
    assert [row.id for row in store.rows(select(delivery.c.id).order_by(delivery.c.id))] == [second.id, waits.id]


OPS = '{"url": "https://ops.example.com/hook/secret"}'
MAIL = '{"command": "mail ops"}'


def test_a_target_that_fails_is_a_problem_until_it_has_taken_what_waits(store: Store) -> None:
    write(store, OPS, OPS, MAIL)
    assert store.do(read_undelivered) == []
    of_ops, of_mail = taken(store)
    store.do(statements.put_back, of_ops, 5.0, "500 Internal Server Error")
    store.shift(delivery, delivery.c.id == of_ops.id, created_at=-300.0)
    (problem,) = store.do(read_undelivered)
    assert (problem.kind, problem.application, problem.next) == ("not delivered", "shop", ("leased notify",))
    assert (
        problem.text
        == "messages to https://ops.example.com/… have not been delivered for 5m: 500 Internal Server Error"
    )
    store.do(statements.end, of_ops.id, "delivered")
    store.do(statements.end, of_mail.id, "given up", "exited with status 1")
    (problem,) = store.do(read_undelivered)
    assert problem.text == "1 message to mail ops could not be delivered for 3 days, and was given up"
    store.shift(delivery, delivery.c.id == of_mail.id, done_at=-86_500.0)
    assert store.do(read_undelivered) == []


def test_each_target_has_what_waits_and_what_became_of_the_latest_and_no_secret_shows(store: Store) -> None:
    store.sync(a_schedule("nightly", notify=[{"command": "mail ops"}, {"url_env": "SLACK_URL", "style": "slack"}]))
    write(store, OPS, OPS, OPS, MAIL)
    head, of_mail = taken(store)
    store.do(statements.fold, head)
    store.do(statements.end, head.id, "delivered")
    store.do(statements.put_back, of_mail, 5.0, "exited with status 1")
    found = store.do(notify_answer, "shop").items
    assert {one.target: (one.waiting, one.delivered, one.last_error) for one in found} == {
        "mail ops": (1, 0, "exited with status 1"),
        "$SLACK_URL": (0, 0, None),
        "https://ops.example.com/…": (0, 3, None),
    }
