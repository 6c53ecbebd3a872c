"""Acts of people as faults: each is told twice, one after the other, and the second must do nothing and say so."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from lease.database.address import parse_address

from ..fleet import ToldTwice
from .fault import SiteFault

_PAUSED = ("steps", "queued", "inside", "newest", "together-0")
"""Schedules that every release has."""
_REQUESTED = ("queued", "free", "newest", "inside")


class ActTwice(SiteFault):
    """An act, and the same act once more."""

    longest = 0.2
    again: tuple[str, ...]

    def words(self) -> Sequence[str] | None:
        """Return the command line; None if there is nothing to act on."""
        raise NotImplementedError

    def start(self) -> bool:
        words = self.words()
        return words is not None and self.tell(*words)

    def tell(self, *words: str, again: tuple[str, ...] = ()) -> bool:
        """Tell it twice; return whether the first did something."""
        command = (*words, f"--database={self.scene.site.url}", "--by=chaos")
        fleet = self.scene.fleet
        first, second = fleet.command(*command), fleet.command(*command)
        fleet.acts.append(ToldTwice(self.kind, again or self.again, first, second))
        return first.status == 0

    def ids(self, condition: str) -> list[int]:
        return self.column(f"SELECT id FROM run WHERE {condition} ORDER BY id")

    def column(self, query: str, **named: str) -> list[Any]:
        """Return what the query finds; nothing where the database cannot be reached."""
        engine = create_engine(parse_address(self.scene.site.url), poolclass=NullPool)
        with suppress(DBAPIError), engine.connect() as connection:
            return list(connection.scalars(text(query), named))
        return []


class CancelTwice(ActTwice):
    """`leased cancel` of a run that waits or is at work, and once more."""

    kind = "run cancelled twice"
    again = ("already cancelled",)

    def words(self) -> Sequence[str] | None:
        runs = self.ids("state IN ('pending', 'running')")
        return ("cancel", str(self.chance.choice(runs))) if runs else None


class RetryTwice(ActTwice):
    """`leased retry` of a run that was cancelled or has failed, and once more."""

    kind = "run retried twice"
    again = ("already retried", "was retried as run")

    def words(self) -> Sequence[str] | None:
        over = "state IN ('failed', 'cancelled') AND schedule NOT IN ('killer', 'blocker')"
        runs = self.ids(f"{over} AND NOT EXISTS (SELECT 1 FROM run again WHERE again.retry_of = run.id)")
        return ("retry", str(self.chance.choice(runs[-20:]))) if runs else None


class RequestTwice(ActTwice):
    """`leased trigger` with a key, now or for a moment later, and once more with the same key."""

    kind = "run requested twice"
    again = ("already requested with this key",)

    def words(self) -> Sequence[str] | None:
        later = self.chance.choice([(), (), ("--at=2s",)])
        key = f"--key={self.chance.randrange(10**9)}"
        return ("trigger", self.chance.choice(_REQUESTED), key, *later)


class PauseTwice(ActTwice):
    """`leased pause` of a schedule for a while, twice; then `leased resume`, twice."""

    kind = "schedule paused twice"
    longest = 6.0
    again = ("already paused",)

    def words(self) -> Sequence[str]:
        self._name = self.chance.choice(_PAUSED)
        return ("pause", self._name)

    def stop(self) -> None:
        self.tell("resume", self._name, again=("is not paused",))
