"""What must not happen to a user of locks is named."""

from typing import Any

import pytest

from lease.model import Grant
from tests.chaos.lanes import Done
from tests.chaos.users.crowd import Ended
from tests.chaos.users.plans import PEOPLE
from tests.chaos.users.promises import LATE, broken_promises, too_little
from tests.chaos.users.records import Attempt, Broken, Burst, HandOver, Users, Visit


def handed(token: int, at: float, *waiting: str, to: str = "anna", free_since: float | None = None) -> HandOver:
    return HandOver(Grant("a", token, to), at, waiting, free_since)


def visit(asked: float, answered: float, wait: float | None = None, user: str = "anna") -> Visit:
    return Visit(user, "a", wait, asked, answered, Grant("a", 1, user), "released")


def users(**known: Any) -> Users:
    known["visits"] = [*known.get("visits", ()), *(visit(0.0, 0.1, user=user) for user in PEOPLE)]
    return Users(**known)


def attempt(*, over: bool, answer: str | None) -> Attempt:
    return Attempt("user/1/1/1", "anna", over, answer)


def fault(slot: str | None) -> Done:
    return Done("lock user paused", slot, 10.0, 20.0, outage=False, costs_leases=True)


def often(slot: str | None = None) -> dict[str, Any]:
    """Return a wait of twenty seconds in which others had the lease a hundred times."""
    return {
        "visits": [visit(5.0, 25.0)],
        "hand_overs": [handed(token, 5 + token / 10, to="ben") for token in range(1, 101)],
        "faults": [] if slot is None else [fault(slot)],
    }


def released(*, at: float, how: str, why: str = "") -> dict[str, Any]:
    """Return a grant to one whose block ended at 2 s."""
    grant = Grant("a", 1, "anna")
    return {
        "visits": [Visit("anna", "a", None, 1.0, 1.1, grant, how, why, left=2.0)],
        "released": {grant: at},
    }


@pytest.mark.parametrize(
    "known",
    [
        {"hand_overs": [handed(1, 5.0, "anna", "ben", free_since=4.9)]},
        {"hand_overs": [handed(1, 5.0, "ben", "anna", free_since=2.95)]},
        {"hand_overs": [handed(1, 5.0, "ben", "carl", free_since=2.9)]},
        {"hand_overs": [handed(1, 5.0, "ben", free_since=None)]},
        {"hand_overs": [handed(2, 9.0)], "broken": [Broken(Grant("a", 1, "ben"), 6.0, 9.0, None)]},
        {"hand_overs": [handed(2, 7.0)], "broken": [Broken(Grant("a", 1, "ben"), 6.0, 9.0, 6.9)]},
        {"attempts": [attempt(over=False, answer="written")], "effects": frozenset({"user/1/1/1"})},
        {"attempts": [attempt(over=True, answer="refused"), attempt(over=False, answer="away")]},
        {"visits": [visit(1.0, 1.0 + 2 + LATE, wait=2.0)]},
        often("anna"),
        released(at=2.0, how="released"),
        released(at=1.5, how="LeaseLost", why="the client was closed"),
        {"bursts": [Burst("anna", 1.0, 2.0, 200, "")]},
        {"bursts": [Burst("anna", 1.0, 2.0, 7, "this client is closed")]},
        {"bursts": [Burst("anna", 9.0, 11.0, 7, "no answer")], "faults": [fault(None)]},
    ],
    ids=[
        "the first takes it", "one was passed over", "two were passed over", "free since nobody knows when",
        "broken, until its ttl", "broken, let go", "written", "refused or away", "answered in time", "overtaken while paused",
        "released by itself", "released by its closing client",
        "a burst", "a burst while the client closes", "a burst in an outage",
    ],
)  # fmt: skip
def test_what_may_happen_is_no_problem(known: dict[str, Any]) -> None:
    assert broken_promises(users(**known)) == []


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"hand_overs": [handed(1, 5.0, "ben", "anna", free_since=3.1)]}, "granted 1.90 s after it was free, before 1 who"),
        ({"hand_overs": [handed(1, 5.0, "ben", "carl", free_since=2.95)]}, "before 2 who waited and had 2.1 s"),
        (
            {"hand_overs": [handed(2, 8.0)], "broken": [Broken(Grant("a", 1, "ben"), 6.0, 9.0, None)]},
            "1.00 s before the work under broken token 1 had ended",
        ),
        (
            {"attempts": [attempt(over=True, answer="written")], "effects": frozenset({"user/1/1/1"})},
            "anna wrote user/1/1/1 though it had lost or released the lease, or closed its client",
        ),
        ({"attempts": [attempt(over=True, answer=None)], "effects": frozenset({"user/1/1/1"})}, "anna wrote user/1/1/1"),
        ({"attempts": [attempt(over=False, answer="written")]}, "the write user/1/1/1 of anna is gone"),
        ({"visits": [visit(1.0, 4.0 + LATE, wait=2.0)]}, "with a wait of 2 s, and was answered after 18.0 s"),
        (released(at=1.5, how="released"), "lease 'a' (token 1) was released 0.50 s before anna had done its work"),
        (
            released(at=1.5, how="LeaseLost", why="it had gone stale, and was freed"),
            "was released 0.50 s before anna had done its work",
        ),
        (often(), "anna waited for 'a' while others were granted it 100 times"),
        (often("ben"), "anna waited for 'a' while others were granted it 100 times"),
        ({"ends": [Ended("anna", None, "File …")]}, "lock user anna did not end when it was told to"),
        ({"ends": [Ended("anna", 3, "File …")]}, "lock user anna ended by itself with status 3"),
        ({"bad_lines": ["anna: Traceback"]}, "a lock user says: anna: Traceback"),
        ({"bursts": [Burst("anna", 1.0, 2.0, 7, "no answer")]}, "a burst of 200 acquisitions of anna, 193 failed: no answer"),
        ({"wrong": ["ben: an interrupt left a held"]}, "a lock user has seen: ben: an interrupt left a held"),
        ({"stuck": ["a"]}, "nobody could be granted 'a'"),
    ],
)  # fmt: skip
def test_what_must_not_happen_is_named(known: dict[str, Any], said: str) -> None:
    (told,) = broken_promises(users(**known))
    assert said in told


def test_a_user_that_was_never_granted_anything_proves_nothing() -> None:
    assert list(too_little(Users())) == [f"lock user {user} was never granted anything" for user in PEOPLE]
