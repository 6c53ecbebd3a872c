"""The history of a campaign as facts: from its witness, effects, diaries, tables and faults."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from daemon.definitions.application import Application
from lease.model import Grant, is_mark
from tests.checker.facts import (
    BackfillRecorded,
    Fact,
    FencedWriteRefused,
    GrantBegan,
    GrantEnded,
    GrantRenewed,
    HighestToken,
    LeaseDeleted,
    Outage,
    Recorded,
    RunClaimed,
    RunLeft,
    RunMarked,
    RunRedefined,
    RunSettled,
    Starved,
    Worked,
    Written,
)

from .diary import Note, boottime, read
from .escapee import Tried
from .faults.clocks import MOVES
from .lanes import Done

Releases = Mapping[int, Application]
"""The definitions of each release."""
Digests = Mapping[tuple[str, int], str]
"""The digest of a schedule in a release that has it."""

BAD = ('"level": "error"', "Traceback", "internal error in leased", "a bug in leased")


@dataclass(frozen=True, slots=True)
class Clocks:
    """Turns readings of the clock since boot, and of a wall clock that was moved, into instants."""

    began: float
    """When the campaign began, by the wall clock that is not moved."""
    offset: float
    """How far that clock is ahead of the clock since boot."""

    @classmethod
    def now(cls) -> "Clocks":
        return cls(time.time(), time.time() - boottime())

    def instant(self, boot: float) -> datetime:
        """Return the instant of a reading of the clock since boot."""
        return datetime.fromtimestamp(boot + self.offset, UTC)

    def reading(self, boot: float) -> float:
        """Return what the database's clock showed at a reading of the clock since boot, in Unix time."""
        return boot + self.offset

    def is_past(self, instant: datetime, boot: float) -> bool:
        """Return whether an instant that the database's clock has shown was surely past by it then."""
        del instant, boot
        return True

    def when_shown(self, instant: datetime, since: float) -> float:
        """Return the first reading of the clock since boot, not before ``since``, at which the database's
        clock showed an instant.
        """
        del since
        return instant.timestamp() - self.offset

    def unmoved(self, wall: float) -> datetime:
        """Return the instant of a reading of a wall clock that may have been moved by hours."""
        for moved in (0.0, *MOVES.values()):
            if self.began - 60 <= wall - moved <= time.time() + 60:
                return datetime.fromtimestamp(wall - moved, UTC)
        raise ValueError(f"{wall} is no time of this campaign, however its clocks were moved")


def witnessed(connection: Connection, clocks: Clocks) -> Iterator[Fact]:
    """Yield what the triggers recorded, in the order in which it happened."""
    sqlite = connection.dialect.name == "sqlite"
    order = "rowid" if sqlite else "at"
    before = datetime.min.replace(tzinfo=UTC)
    columns = "at, what, name, token, holder, until, run, state, digest, earlier"
    for at, what, name, token, holder, until, run, state, digest, earlier in connection.execute(
        text(f"SELECT {columns} FROM witness ORDER BY {order}")
    ):
        # One writer at a time: what was written later happened later, whatever its clock said.
        when = before = max(before, clocks.unmoved(at)) if sqlite else _instant(at)
        if is_mark(holder):
            continue  # what is left of a broken grant, which has ended
        grant = Grant(name, token, holder)
        stale = clocks.instant(until) if sqlite and until is not None else until
        match what:
            case "granted":
                yield GrantBegan(grant, when, stale)
            case "renewed":
                yield GrantRenewed(grant, when, stale)
            case "ended" | "broken":
                yield GrantEnded(grant, when)
            case "deleted":
                yield LeaseDeleted(name, when)
            case "written":
                yield Written(grant, when, run, state)
            case "claimed":
                yield RunClaimed(run, grant, when, digest)
            case "adopted" | "redefined":
                yield RunRedefined(run, when, digest, earlier, adopted=what == "adopted")
            case "left":
                yield RunLeft(run, grant, when, state)
            case "settled" | "given up":
                yield RunSettled(run, grant, when, over=what == "given up", digest=digest)
            case _:
                raise ValueError(f"the witness wrote down {what!r}")


def effects(connection: Connection) -> Iterator[Fact]:
    """Yield the fenced writes on PostgreSQL; the commit time is taken before locks are released."""
    if connection.dialect.name == "postgresql":
        rows = connection.execute(
            text("SELECT pg_xact_commit_timestamp(xmin), run, job, name, token, holder FROM effect")
        )
        for when, run, job, name, token, holder in rows:
            yield Written(Grant(name, token, holder), _instant(when), run, job)


def tables(connection: Connection, releases: Releases) -> Iterator[Fact]:
    """Yield the final leases and runs; read independently of the audit."""
    jobs_of = {
        schedule.run_digest(): tuple(job.name for job in schedule.jobs)
        for application in releases.values()
        for schedule in application.schedules
    }
    for name, token in connection.execute(text("SELECT name, token FROM lease")):
        yield HighestToken(name, token)
    done, attempted, left, carried = (
        _jobs_of_runs(connection, condition)
        for condition in (
            "state = 'succeeded' AND carried_from IS NULL",
            "state <> 'not started' AND carried_from IS NULL",
            (
                "state = 'running' AND NOT EXISTS (SELECT 1 FROM run WHERE id = run_id AND state = 'running'"
                " AND run.token = job_run.token AND run.holder = job_run.holder)"
            ),
            "carried_from IS NOT NULL",
        )
    )
    runs = 'SELECT id, schedule, scheduled_for, last_scheduled_for, count, state, "trigger", digest, retry_of, backfill FROM run'
    for run, schedule, scheduled_for, last, count, state, trigger, digest, retry_of, backfill in connection.execute(
        text(runs)
    ):
        first = _instant(scheduled_for)
        until = first if last is None else _instant(last)
        over = state not in ("pending", "running")
        yield Recorded(
            run, schedule, first, until, count, state, over, trigger == "manual", done[run], jobs=jobs_of[digest],
            attempted=tuple(attempted[run]), left_running=tuple(left[run].elements()), retry_of=retry_of, backfill=backfill,
            carried=tuple(carried[run].elements()),
        )  # fmt: skip


def _jobs_of_runs(connection: Connection, condition: str) -> defaultdict[int, Counter[str]]:
    """Return how many attempts of this kind each job of each run has."""
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for run, job in connection.execute(text(f"SELECT run_id, job FROM job_run WHERE {condition}")):
        found[run][job] += 1
    return found


def backfills(connection: Connection) -> Iterator[Fact]:
    """Yield the backfills that were requested."""
    query = "SELECT id, schedule, first, last, at_most, instants FROM backfill ORDER BY id"
    for backfill, schedule, first, last, at_most, instants in connection.execute(text(query)):
        yield BackfillRecorded(backfill, schedule, _instant(first), _instant(last), at_most, instants)


def marks(connection: Connection, clocks: Clocks) -> Iterator[Fact]:
    """Yield the runs that were cancelled, or replaced by a newer one."""
    query = (
        "SELECT run.id, run.schedule, run.cancelled_at, run.state, run.finished_at, newer.id, newer.started_at"
        " FROM run LEFT JOIN run newer ON newer.id = run.overlapped WHERE run.cancelled_at IS NOT NULL"
    )
    for run, schedule, at, state, ended, newer, started in connection.execute(text(query)):
        yield RunMarked(
            run, schedule, unmoved(at, clocks), state, None if ended is None else unmoved(ended, clocks),
            replaced_by=newer, newer_start=None if started is None else unmoved(started, clocks),
        )  # fmt: skip


def diaries(folder: Path, clocks: Clocks, digests: Digests) -> Iterator[Fact]:
    """Yield what the attempts noted in their diaries."""
    for notes in _notes(folder):
        began = notes[0]
        grant = Grant(*began["grant"])
        # A child is killed; a task in the replica is only cancelled, so that only its start counts.
        last = notes[-1] if "pids" in began else began
        survivors = tuple(began.get("survivors", ()))
        release = began.get("release")
        digest = None if release is None else digests[grant.name.split("/")[2], release]
        yield Worked(grant, clocks.instant(began["at"]), clocks.instant(last["at"]), survivors, digest)
        yield from (
            FencedWriteRefused(grant, clocks.instant(note["at"])) for note in notes if note["what"] == "refused"
        )


def acknowledged(folder: Path) -> set[tuple[int, str]]:
    """Return (run, job) of each effect whose commit was acknowledged to the job."""
    return {
        (notes[0]["run"], notes[0]["job"])
        for notes in _notes(folder)
        if any(note["what"] == "written" for note in notes)
    }


def _notes(folder: Path) -> Iterator[list[Note]]:
    for path in (folder / "diaries").glob("*.jsonl"):
        notes = read(path)
        if notes and notes[0]["what"] == "began":
            yield notes


def haunted(tried: Iterable[Tried], clocks: Clocks) -> Iterator[Fact]:
    """Yield the writes that were refused to the escapee."""
    for one in tried:
        if one.answer == "refused":
            yield FencedWriteRefused(Grant(*one.grant), clocks.instant(one.answered))


def outages(done: Iterable[Done], clocks: Clocks) -> Iterator[Fact]:
    """Yield the faults during which no replica could recover anything."""
    for fault in done:
        if fault.outage:
            yield Outage(clocks.instant(fault.began), clocks.instant(fault.ended))


def starved(busy: Iterable[tuple[float, float, float]], clocks: Clocks) -> Iterator[Fact]:
    """Yield the times in which this machine kept a ready process waiting."""
    for began, ended, late in busy:
        if late:
            yield Starved(clocks.instant(began), clocks.instant(ended), timedelta(seconds=late))


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of a lease that a replica logged."""

    slot: str
    lease: str
    token: int
    cause: str
    at: datetime


def losses(logs: Iterable[tuple[str, Path]], clocks: Clocks) -> Iterator[Loss]:
    """Return the losses of leases that replicas logged."""
    for slot, line in lines(logs, '"lease lost"'):
        said: dict[str, Any] = json.loads(line)
        at = clocks.unmoved(datetime.fromisoformat(said["timestamp"]).timestamp())
        yield Loss(slot, said["lease"], said["token"], said["cause"], at)


def given_back(logs: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, int]]:
    """Return the leases, with their tokens, that replicas logged to have released as grants without work: that of a run
    whose work was killed as trust ended too, if it could not be released then.
    """
    for _, line in lines(logs, '"a grant whose reply was lost was released"'):
        said: dict[str, Any] = json.loads(line)
        yield said["lease"], said["token"]


def bad_lines(logs: Iterable[tuple[str, Path]]) -> Iterator[str]:
    """Return the log lines that no replica should ever write, under any fault."""
    return (f"{slot}: {line[:400]}" for slot, line in lines(logs, *BAD))


def lines(logs: Iterable[tuple[str, Path]], *words: str) -> Iterator[tuple[str, str]]:
    """Yield the lines that have one of these words, with the slot of each."""
    for slot, log in logs:
        for line in log.read_text(errors="replace").splitlines():
            if any(word in line for word in words):
                yield slot, line


def unmoved(value: Any, clocks: Clocks) -> datetime:
    """Return the instant that a row says, whose writer's wall clock may have been moved on SQLite."""
    return clocks.unmoved(value) if isinstance(value, float) else _instant(value)


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromtimestamp(value, UTC)
