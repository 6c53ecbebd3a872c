"""The queue of clients that wait for one lease, and whose turn it is; pure decisions.

It stands in the lease's row as JSON, where a release and a grant look anyway and under the same lock, so that a mark
and a release cannot miss each other. A client has one place in it; when it has had its turn, it comes back at the end.
Who is first and does not take a free lease within `PATIENCE` is passed over, and so on down the line, a `STEP` each: a
dead waiter delays the next by `PATIENCE`, and ten of them by half a second more.
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

PATIENCE = 2.0
"""Seconds for which a free lease is kept for the first who waits."""
STEP = 0.05
"""Seconds that each of those behind gets after that."""
PLACE = 60.0
"""Seconds for which a place is kept for a client that does not look again."""
LOOK = 30.0
"""Seconds between two looks of a client that waits, at most; so it keeps its place."""
TOLD = 16
"""How many waiters are named in the notification of a release."""
_MOST_NAMES = 1000
"""How many names a client remembers as awaited."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """One client in the queue."""

    holder: str
    """The id of its incarnation."""
    label: str
    """What people see of it."""
    until: float
    """For how long it keeps its place, by the clock that leases expire by, in seconds."""


Waiters = tuple[Waiter, ...]
"""In the order in which they came."""


def parse_waiters(column: str | None, now: float) -> Waiters:
    """Return those who still wait, from what stands in the row."""
    if column is None:
        return ()
    waiters = (Waiter(*entry[:3]) for entry in json.loads(column))  # a later version may say more
    return tuple(waiter for waiter in waiters if waiter.until > now)


def format_waiters(waiters: Iterable[Waiter]) -> str | None:
    """Return what is to stand in the row: None when nobody waits."""
    entries = [[waiter.holder, waiter.label, waiter.until] for waiter in waiters]
    return json.dumps(entries, ensure_ascii=False) if entries else None


def beginning_with(holder: str) -> str:
    """Return what stands at the beginning of the row's JSON when ``holder`` is first."""
    return f"[[{json.dumps(holder, ensure_ascii=False)}"


def entry_of(holder: str) -> str:
    """Return how the entry of ``holder`` in the row's JSON begins."""
    return beginning_with(holder).removeprefix("[")


def ahead_of(holder: str, waiters: Waiters) -> int:
    """Return how many wait before ``holder``, which may not be in the queue yet."""
    ids = [waiter.holder for waiter in waiters]
    return ids.index(holder) if holder in ids else len(ids)


def may_take(ahead: int, free_for: float | None) -> bool:
    """Return whether it is the turn of one with ``ahead`` waiters before it, of a lease that has
    been free (or stale) for so many seconds; None: not known since when.
    """
    return free_for is None or free_for >= _kept_for(ahead)


def turn_in(ahead: int, free_for: float) -> float:
    """Return the seconds until that turn; ``free_for`` is negative for a lease that is live."""
    return _kept_for(ahead) - free_for


def _kept_for(ahead: int) -> float:
    """Return the seconds for which a free lease is kept for those ahead."""
    return PATIENCE + ahead * STEP if ahead else 0.0


def joined(waiters: Waiters, waiter: Waiter) -> Waiters:
    """Return the queue with ``waiter`` in its place, or at the end."""
    if all(other.holder != waiter.holder for other in waiters):
        return (*waiters, waiter)
    return tuple(waiter if other.holder == waiter.holder else other for other in waiters)


def without(waiters: Waiters, holder: str) -> Waiters:
    return tuple(waiter for waiter in waiters if waiter.holder != holder)


def behind(waiters: Waiters, holder: str) -> Waiters:
    """Return those behind ``holder``, which has taken the lease: those before it were passed over."""
    return waiters[ahead_of(holder, waiters) + 1 :]


def format_release(name: str, waiting: Waiters) -> str:
    """Return what the notification of a release says: of which name, and whose turn it is."""
    return json.dumps({"name": name, "next": [waiter.holder for waiter in waiting[:TOLD]]})


def parse_release(payload: str) -> tuple[str, list[str]]:
    """Return the name and whose turn it is; nobody's, of no name, where that is not what a release
    says: whoever may connect can notify the channel.
    """
    said: Any = None
    with suppress(ValueError, RecursionError):
        said = json.loads(payload)
    match said:
        case {"name": str() as name, "next": list() as turns}:
            return name, turns
        case _:
            return "", []


def seconds_until_turn(holder: str, turns: list[str]) -> float | None:
    """Return how long those who are ahead of ``holder`` get to take the lease that was released;
    None if it is none of those whose turn it is.
    """
    return _kept_for(turns.index(holder)) if holder in turns else None


class Awaited:
    """The names for which others were found to wait, or that were held, just now: to ask for one at once
    would be in vain. Who wants it takes a place in the queue first. For any thread.
    """

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, name: str) -> None:
        """Remember ``name``, until it is asked for."""
        if len(self._names) >= _MOST_NAMES:
            self._names.clear()
        self._names[name] = None

    def take(self, name: str) -> bool:
        """Forget ``name``; return whether it was remembered."""
        return self._names.pop(name, self) is None
