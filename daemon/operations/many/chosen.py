"""The choice of runs: those of a schedule, of a tag, of an application, as they were when they were shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from ...errors import NotFound
from ...states import RunState
from ...store.schedule_key import ScheduleKey
from ...store.views import (
    Called,
    nearest_of,
    require_application,
    schedule_names,
    schedules_named,
    schedules_tagged,
)

MOST_AT_ONCE = 1_000
"""Runs that one transaction writes."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Whose runs are meant: of a schedule, of those with a tag, or of all; in one application, or in all."""

    schedule: str | None = None
    tag: str | None = None
    application: str | None = None

    def schedules(self, connection: Connection, *, retired: bool) -> set[ScheduleKey]:
        """Return (application, name) of the schedules; raises `NotFound` where there is nothing of a name."""
        require_application(connection, self.application)
        found = schedules_named(connection, self.schedule, self.application, retired=retired)
        if self.schedule is not None and not found:
            known = schedule_names(connection, self.application, retired=retired)
            of = "" if self.application is None else f' of "{self.application}"'
            raise NotFound(f'there is no schedule "{self.schedule}"{of}; {nearest_of(self.schedule, known)}')
        return found & schedules_tagged(connection, self.application, self.tag) if self.tag is not None else found


@dataclass(frozen=True, slots=True)
class ChosenRun:
    """A run that was shown."""

    run_id: int
    application: str
    schedule: str
    scheduled_for: datetime
    state: RunState

    @property
    def named(self) -> tuple[str, str]:
        """The application, and what its schedule is called."""
        return self.application, self.schedule


def keys_of(connection: Connection, runs: Sequence[ChosenRun]) -> set[ScheduleKey]:
    """Return (application, key) of the schedules of these runs."""
    names = Called(connection)
    return {(run.application, names.key(run.application, run.schedule)) for run in runs}


C = TypeVar("C", bound=ChosenRun)


def in_transactions(runs: Sequence[C]) -> Iterator[Sequence[C]]:
    """Return the runs in parts, each for a transaction of its own."""
    return (runs[start : start + MOST_AT_ONCE] for start in range(0, len(runs), MOST_AT_ONCE))
