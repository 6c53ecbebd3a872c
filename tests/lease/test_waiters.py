"""The queue of waiters: whose turn it is is decided by who came first, and by how long a lease has been free."""

import pytest

from lease.statements.queues import Queue
from lease.waiters import (
    PATIENCE,
    STEP,
    TOLD,
    Awaited,
    Waiter,
    ahead_of,
    beginning_with,
    behind,
    entry_of,
    format_release,
    format_waiters,
    joined,
    may_take,
    parse_release,
    parse_waiters,
    turn_in,
    without,
)

ANNA, BEN, CLEO = (Waiter(name, f'{name}\'s \N{SNOWMAN} "host"', 100.0) for name in ("anna", "ben", "cleo"))
QUEUE = (ANNA, BEN, CLEO)


def test_the_queue_survives_its_row() -> None:
    assert parse_waiters(format_waiters(QUEUE), now=99.0) == QUEUE
    assert format_waiters(()) is None
    assert parse_waiters(None, now=0.0) == ()


def test_what_a_later_version_adds_to_a_place_is_passed_over() -> None:
    assert parse_waiters('[["anna", "anna", 100.0, "more"]]', now=99.0) == (Waiter("anna", "anna", 100.0),)


def test_of_the_names_that_others_wait_for_a_client_remembers_only_some() -> None:
    awaited = Awaited()
    for number in range(3_000):
        awaited.add(f"name {number}")
    assert awaited.take("name 2998")
    assert awaited.take("name 2999")
    assert not awaited.take("name 2999"), "until it is asked for"
    assert not awaited.take("name 0")


def test_a_place_lapses_with_a_client_that_does_not_look_again() -> None:
    late = Waiter("ben", "ben", 120.0)
    assert parse_waiters(format_waiters((ANNA, late, CLEO)), now=100.0) == (late,)


def test_the_first_is_known_by_how_the_row_begins() -> None:
    odd = Waiter('b"en\\ \N{SNOWMAN}', "", 100.0)
    for first in (*QUEUE, odd):
        column = format_waiters((first, CLEO))
        assert column is not None
        assert [one for one in (*QUEUE, odd) if column.startswith(beginning_with(one.holder))] == [first]


def test_who_has_a_place_is_known_by_an_entry_of_the_row() -> None:
    column = format_waiters((ANNA, CLEO))
    assert column is not None
    assert [one for one in QUEUE if entry_of(one.holder) in column] == [ANNA, CLEO]


def test_a_client_has_one_place_and_a_newcomer_comes_last() -> None:
    again = Waiter("anna", "anna", 130.0)
    assert joined(QUEUE, again) == (again, BEN, CLEO)
    assert joined((BEN, CLEO), ANNA) == (BEN, CLEO, ANNA)
    assert [ahead_of(holder, QUEUE) for holder in ("anna", "ben", "cleo", "dan")] == [0, 1, 2, 3]


def test_after_its_turn_a_client_and_those_who_were_passed_over_have_no_place() -> None:
    assert behind(QUEUE, "anna") == (BEN, CLEO)
    assert behind(QUEUE, "ben") == (CLEO,)
    assert behind(QUEUE, "dan") == ()
    assert without(QUEUE, "ben") == (ANNA, CLEO)


@pytest.mark.parametrize(
    ("ahead", "free_for", "may"),
    [
        (0, 0.0, True),
        (1, 0.0, False),
        (1, PATIENCE - 0.01, False),
        (1, PATIENCE, False),
        (1, PATIENCE + STEP, True),
        (10, PATIENCE + 9 * STEP, False),
        (10, PATIENCE + 10 * STEP, True),
        (7, None, True),  # since when it has been free is not known: an older version released it
    ],
)
def test_a_free_lease_is_kept_for_each_waiter_in_turn_for_a_while(
    ahead: int, free_for: float | None, may: bool
) -> None:
    assert may_take(ahead, free_for) == may
    if free_for is not None:
        assert (turn_in(ahead, free_for) <= 0) == may


def test_the_turn_of_who_waits_for_a_live_lease_comes_when_it_has_gone_stale() -> None:
    assert turn_in(ahead=0, free_for=-9.0) == 9.0
    assert turn_in(ahead=2, free_for=-9.0) == 9.0 + PATIENCE + 2 * STEP


def test_a_notification_names_the_first_who_wait_and_is_read_under_any_encoding() -> None:
    """Older versions read nothing but ASCII under another ``client_encoding``."""
    waiting = tuple(Waiter(f"waiter {number}", "", 0.0) for number in range(TOLD + 3))
    said = format_release('"a" or a caf\u00e9', waiting)
    assert said.isascii()
    assert parse_release(said) == ('"a" or a caf\u00e9', [one.holder for one in waiting[:TOLD]])


@pytest.mark.parametrize(("free_for", "is_live"), [(-0.1, True), (0.0, False), (0.1, False), (None, False)])
def test_a_lease_is_held_until_the_moment_at_which_it_goes_stale(free_for: float | None, is_live: bool) -> None:
    assert Queue("a", "anna", (), 0.0, free_for).is_live is is_live
