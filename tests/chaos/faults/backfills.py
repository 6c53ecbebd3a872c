"""Backfills as faults: two people ask for the same one at the same moment; some are paused or cancelled half way."""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from daemon.instants import format_instant

from ..fleet import ToldAtOnce
from ..worker import FRAIL
from .acts import ActTwice

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
