"""What the journals and the witness have about the users, as records.

All times are of the clock of the diaries (since boot), in seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from lease.model import Grant
from lease.waiters import parse_waiters

from ..diary import Note
from ..history import Clocks
from ..lanes import Done
from .crowd import Ended


@dataclass(frozen=True, slots=True)
class HandOver:
    """A grant of a lease, and who waited for it then."""

    grant: Grant
    at: float
    waiting: tuple[str, ...]
    """The holders that kept a place, in their order."""
    free_since: float | None
    """When it came to be free or stale, so long ago by the clock that leases expire by; None: not known."""

    @property
    def passed(self) -> tuple[str, ...]:
        """Those who waited before the one who was granted it."""
        holder = self.grant.holder
        return self.waiting[: self.waiting.index(holder)] if holder in self.waiting else self.waiting


@dataclass(frozen=True, slots=True)
class Broken:
    """A grant that was broken, and when its name was let go."""

    grant: Grant
    at: float
    until: float
    """When its last ttl was over."""
    let_go: float | None
    """When its holder said that its work had ended; None: it did not."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One acquisition of a user."""

    user: str
    name: str
    wait: float | None
    asked: float
    answered: float | None
    """When it was granted or refused; None: its process was killed before."""
    grant: Grant | None = None
    how: str | None = None
    """How it ended; None: its process was killed before."""
    why: str = ""
    left: float | None = None
    """When its block had come to its end, before the release."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A fenced write of a user."""

    job: str
    user: str
    over: bool
    """Whether the user knew by then that the lease was released, lost, or of a closed client."""
    answer: str | None


@dataclass(frozen=True, slots=True)
class Burst:
    """Many acquisitions of a user at once."""

    user: str
    asked: float
    answered: float
    held: int
    why: str
    """What the first that failed said; empty if none did."""


@dataclass(frozen=True, slots=True)
class Users:
    """All that is known of the users of a campaign."""

    hand_overs: list[HandOver] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    released: Mapping[Grant, float] = field(default_factory=dict)
    """When each grant was released, by its holder or whoever it was."""
    visits: list[Visit] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    effects: frozenset[str] = frozenset()
    """The jobs of the effects that are in the table."""
    faults: list[Done] = field(default_factory=list)
    ends: list[Ended] = field(default_factory=list)
    bad_lines: list[str] = field(default_factory=list)
    bursts: list[Burst] = field(default_factory=list)
    forks: int = 0
    interrupts: int = 0
    wrong: list[str] = field(default_factory=list)
    """What the users themselves have seen that must not be."""
    stuck: list[str] = field(default_factory=list)
    """The names that nobody could be granted when all users had ended."""


def hand_overs(connection: Connection, clocks: Clocks) -> Iterator[HandOver]:
    """Yield the grants of all names, in the order of the database."""
    query = f"SELECT name, token, holder, at, queue, free_since FROM witness WHERE what = 'granted' ORDER BY {_order(connection)}"
    for name, token, holder, at, queue, free_since in connection.execute(text(query)):
        moment = _wall(connection, at, clocks)
        now = moment if _sqlite(connection) else clocks.reading(moment)  # the clock that places are kept by
        waiting = tuple(waiter.holder for waiter in parse_waiters(queue, now))
        is_known = free_since is not None and (_sqlite(connection) or clocks.is_past(free_since, moment))
        free = moment - (now - _seconds(free_since)) if is_known else None
        yield HandOver(Grant(name, token, holder), moment, waiting, free)


def broken(connection: Connection, clocks: Clocks) -> Iterator[Broken]:
    """Yield the breaks."""
    query = (
        "SELECT name, token, holder, at, until, (SELECT min(ended.at) FROM witness ended WHERE ended.what = 'ended'"
        " AND ended.name = witness.name AND ended.token = witness.token AND ended.holder = 'broken:' || witness.holder)"
        " FROM witness WHERE what = 'broken'"
    )
    for name, token, holder, at, until, let_go in connection.execute(text(query)):
        moment = _wall(connection, at, clocks)
        stale = float(until) if _sqlite(connection) else clocks.when_shown(until, moment)
        ended = None if let_go is None else _wall(connection, let_go, clocks)
        yield Broken(Grant(name, token, holder), moment, stale, ended)


def released(connection: Connection, clocks: Clocks) -> Iterator[tuple[Grant, float]]:
    """Yield the releases."""
    for name, token, holder, at in connection.execute(
        text("SELECT name, token, holder, at FROM witness WHERE what = 'ended'")
    ):
        yield Grant(name, token, holder), _wall(connection, at, clocks)


def visits(user: str, notes: Iterable[Note]) -> Iterator[Visit]:
    """Yield the visits of a journal."""
    of_visit: dict[int, dict[str, Note]] = {}
    for note in notes:
        if "visit" in note:
            of_visit.setdefault(note["visit"], {}).setdefault(note["what"], note)
    for steps in of_visit.values():
        if (asked := steps.get("asked")) is None:
            continue
        granted, ended = steps.get("granted"), steps.get("ended")
        answer = granted or ended
        yield Visit(
            user, asked["name"], asked["wait"], asked["at"],
            None if answer is None else answer["at"],
            Grant(*granted["grant"]) if granted else None,
            ended["how"] if ended else None,
            ended["why"] if ended else "",
            steps["leaving"]["at"] if "leaving" in steps else None,
        )  # fmt: skip


def attempts(user: str, notes: Iterable[Note]) -> Iterator[Attempt]:
    """Yield the fenced writes of a journal."""
    notes = list(notes)
    answers = {note["job"]: note["what"] for note in notes if note["what"] in ("written", "refused", "away")}
    for note in notes:
        if note["what"] == "writing":
            yield Attempt(note["job"], user, note["over"], answers.get(note["job"]))


def bursts(user: str, notes: Iterable[Note]) -> Iterator[Burst]:
    """Yield the bursts of a journal that came to their ends, of which one was under way at a time."""
    asked = None
    for note in notes:
        if note["what"] == "burst":
            asked = note["at"]
        elif note["what"] == "burst over" and asked is not None:
            yield Burst(user, asked, note["at"], note["held"], note["why"])
            asked = None


def effects(connection: Connection) -> frozenset[str]:
    """Return the jobs of the effects of users."""
    return frozenset(connection.scalars(text("SELECT job FROM effect WHERE run IS NULL")))


def _sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _order(connection: Connection) -> str:
    return "rowid" if _sqlite(connection) else "at"


def _wall(connection: Connection, at: Any, clocks: Clocks) -> float:
    """Return a moment of the witness's clock."""
    instant: datetime = clocks.unmoved(at) if _sqlite(connection) else at
    return instant.timestamp() - clocks.offset


def _seconds(at: Any) -> float:
    """Return a moment of the clock that leases expire by."""
    return float(at.timestamp() if isinstance(at, datetime) else at)
