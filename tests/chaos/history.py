"""All that a campaign has written down, as facts for the checker: the witness, the effects, the diaries, the tables, the faults."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from daemon.audit.facts import (
    Claimed,
    Deleted,
    Due,
    Ended,
    Fact,
    Granted,
    HighestToken,
    Outage,
    Recorded,
    Refused,
    Renewed,
    Settled,
    Worked,
    Written,
)
from daemon.definitions import Application
from lease.model import Grant

from .diary import boottime, read
from .lanes import Done


@dataclass(frozen=True, slots=True)
class Clocks:
    """Turns the readings of the clock since boot, and SQLite's own, into instants."""

    offset: float
    """What the wall clock had more than the clock since boot."""

    @classmethod
    def now(cls) -> "Clocks":
        return cls(time.time() - boottime())

    def instant(self, boot: float) -> datetime:
        """The instant of a reading of the clock since boot."""
        return datetime.fromtimestamp(boot + self.offset, UTC)


def witnessed(connection: Connection, clocks: Clocks) -> Iterator[Fact]:
    """What the triggers saw."""
    rows = connection.execute(text("SELECT at, what, name, token, holder, until, run FROM witness ORDER BY at"))
    for at, what, name, token, holder, until, run in rows:
        grant, when = Grant(name, token, holder), _instant(at)
        stale = until if until is None or isinstance(until, datetime) else clocks.instant(until)
        match what:
            case "granted":
                yield Granted(grant, when, stale)
            case "renewed":
                yield Renewed(grant, when, stale)
            case "ended":
                yield Ended(grant, when)
            case "deleted":
                yield Deleted(name, when)
            case "claimed":
                yield Claimed(run, grant, when)
            case "settled" | "given up":
                yield Settled(run, grant, when, over=what == "given up")


def effects(connection: Connection) -> Iterator[Fact]:
    """What was written under a fence, and when it was committed."""
    # PostgreSQL takes the time of a commit before it lets the locks go; SQLite has one writer at a time.
    at = "pg_xact_commit_timestamp(xmin)" if connection.dialect.name == "postgresql" else "at"
    for when, run, job, name, token, holder in connection.execute(
        text(f"SELECT {at}, run, job, name, token, holder FROM effect")
    ):
        yield Written(Grant(name, token, holder), _instant(when), run, job)


def tables(connection: Connection) -> Iterator[Fact]:
    """What the leases and the runs are in the end."""
    for name, token in connection.execute(text("SELECT name, token FROM lease")):
        yield HighestToken(name, token)
    done: dict[int, dict[str, int]] = {}
    for run, job in connection.execute(text("SELECT run_id, job FROM job_run WHERE state = 'succeeded'")):
        jobs = done.setdefault(run, {})
        jobs[job] = jobs.get(job, 0) + 1
    query = (
        "SELECT run_id, job FROM job_run WHERE state = 'running' AND NOT EXISTS"
        " (SELECT 1 FROM run WHERE id = run_id AND state = 'running' AND run.token = job_run.token AND run.holder = job_run.holder)"
    )
    left: dict[int, tuple[str, ...]] = {}
    for run, job in connection.execute(text(query)):
        left[run] = (*left.get(run, ()), job)
    runs = 'SELECT id, schedule, scheduled_for, last_scheduled_for, count, state, "trigger" FROM run'
    for run, schedule, scheduled_for, last, count, state, trigger in connection.execute(text(runs)):
        first = _instant(scheduled_for)
        until = first if last is None else _instant(last)
        over = state not in ("pending", "running")
        yield Recorded(
            run, schedule, first, until, count, state, over, trigger == "manual", done.get(run, {}),
            left_running=left.get(run, ()),
        )  # fmt: skip


def due(application: Application, until: datetime) -> Iterator[Fact]:
    """Every instant of every schedule."""
    for schedule in application.schedules:
        assert schedule.starts is not None
        anchor = schedule.starts
        yield from (
            Due(schedule.name, at) for at in _until(schedule.instants(anchor.replace(year=2000), anchor), until)
        )


def _until(instants: Iterable[datetime], until: datetime) -> Iterator[datetime]:
    for instant in instants:
        if instant > until:
            return
        yield instant


def diaries(folder: Path, clocks: Clocks) -> Iterator[Fact]:
    """What the attempts noted of themselves."""
    for path in (folder / "diaries").glob("*.jsonl"):
        notes = read(path)
        if not notes or notes[0]["what"] != "began":
            continue
        began = notes[0]
        grant = Grant(*began["grant"])
        if "pids" in began:  # a process of its own, which is killed; what runs in the replica is only told
            last = clocks.instant(notes[-1]["at"])
            yield Worked(grant, clocks.instant(began["at"]), last, tuple(began["survivors"]))
        yield from (Refused(grant, clocks.instant(note["at"])) for note in notes if note["what"] == "refused")


def outages(done: Iterable[Done], clocks: Clocks) -> Iterator[Fact]:
    """The faults in which nobody could have recovered anything."""
    for fault in done:
        if fault.outage:
            yield Outage(clocks.instant(fault.began), clocks.instant(fault.ended))


def losses(logs: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, str, int, str]]:
    """(slot, lease, token, cause) of each lease that a replica has said that it lost."""
    for slot, log in logs:
        for line in log.read_text(errors="replace").splitlines():
            if '"lease lost"' in line:
                said: dict[str, Any] = json.loads(line)
                yield slot, said["lease"], said["token"], said["cause"]


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromtimestamp(value, UTC)
