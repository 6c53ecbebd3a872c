"""Acts of people as faults: most are told twice, one after the other, and the second must do nothing and say so; two people ask
for the same backfill at the same moment; and some trigger runs that make trouble for all that is at work beside them.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from daemon.instants import format_instant
from lease.database.address import parse_address

from ..fleet import ToldAtOnce, ToldTwice
from ..trouble import BLOCKER, KILLER
from ..worker import FRAIL
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


_AT_ONCE = ("free", FRAIL)
"""Schedules of which several runs are at work at a time."""
_SCHEDULES = (*_AT_ONCE, FRAIL, "steps", "long", "queued", "newest", "inside", "together-0", "retimed")
_LONGEST, _LATEST = 6, 40
"""The most instants of a backfill, and from among how many of the latest."""
_DUE = "\"trigger\" = 'schedule'"
_NOT_DONE = f"{_DUE} AND state IN ('skipped', 'failed', 'cancelled')"


class BackfillAtOnce(ActTwice):
    """Two `leased backfill` at once of a piece of the past, at times of one that was asked for before."""

    kind = "backfill asked for twice"
    shortest = 0.5
    longest = 4.0
    again = ("was already",)

    def words(self) -> Sequence[str] | None:
        self._made: list[int] = []
        self._paused = False
        lacking = self.column(f"SELECT DISTINCT schedule FROM run WHERE {_NOT_DONE}")
        some = [one for one in _SCHEDULES if one in lacking] if self.chance.random() < 0.7 else []
        schedule = self.chance.choice(some or _SCHEDULES)
        span = self._span(schedule)
        if span is None:
            return None
        first, last = (format_instant(instant) for instant in span)
        at_most = self.chance.randint(1, 3) if schedule in _AT_ONCE else 1
        return "backfill", schedule, f"--from={first}", f"--to={last}", f"--at-most={at_most}", "--yes", "--json"

    def tell(self, *words: str, again: tuple[str, ...] = ()) -> bool:
        if words[0] != "backfill":
            return super().tell(*words, again=again)
        command = (*words, f"--database={self.scene.site.url}", "--by=chaos")
        told = self.scene.fleet.commands(command, command)
        self.scene.fleet.at_once.append(ToldAtOnce(self.kind, told))
        for caller in told:
            with suppress(ValueError):
                made = json.loads(caller.said).get("backfill_id")
                self._made += [made] if made is not None else []
        if self._made and self.chance.random() < 0.3:
            self._paused = super().tell("pause", f"--backfill={self._made[0]}")
        return any(caller.status == 0 for caller in told)

    def stop(self) -> None:
        """Resume it, if it is paused; or cancel it, at times."""
        if self._paused and self.chance.random() < 0.7:
            self.tell("resume", f"--backfill={self._made[0]}", again=("is not paused",))
        elif self._paused or (self._made and self.chance.random() < 0.3):
            self.tell("cancel", f"--backfill={self._made[0]}", again=("was already cancelled",))

    def _span(self, schedule: str) -> tuple[datetime, datetime] | None:
        """Return the first and the last instant of a piece of the past; None if nothing was due yet."""
        of_it = "SELECT scheduled_for FROM run WHERE schedule = :schedule"
        due = self._instants(f"{of_it} AND {_DUE} ORDER BY scheduled_for", schedule)[-_LATEST:]
        if not due:
            return None
        not_done = f"{of_it} AND {_NOT_DONE}"
        before = "SELECT first FROM backfill WHERE schedule = :schedule ORDER BY id"
        query = self.chance.choice([not_done, not_done, not_done, before, before])
        among = set(self._instants(query, schedule))
        begins = [index for index, instant in enumerate(due) if instant in among] or list(range(len(due)))
        begin = self.chance.choice(begins)
        end = min(len(due) - 1, begin + self.chance.randrange(_LONGEST))
        return due[begin], due[end]

    def _instants(self, query: str, schedule: str) -> list[datetime]:
        return [_instant(value) for value in self.column(query, schedule=schedule)]


def _instant(value: Any) -> datetime:
    return value.astimezone(UTC) if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)


class _Triggered(SiteFault):
    longest = 0.2
    schedule = ""

    def start(self) -> bool:
        """Trigger a run, which any replica may claim."""
        told = self.scene.fleet.command("trigger", self.schedule, f"--database={self.scene.site.url}", "--by=chaos")
        return told.status == 0


class TriggerKiller(_Triggered):
    """A job that kills its replica, and each replica that takes its run over."""

    kind = "killer triggered"
    schedule = KILLER


class TriggerBlocker(_Triggered):
    """An async job that blocks the event loop it shares, and is only to be ended with its process."""

    kind = "blocker triggered"
    schedule = BLOCKER
