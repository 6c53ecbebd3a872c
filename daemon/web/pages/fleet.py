"""The page of the fleet: replicas, who holds which lock, and the generations of the definitions."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection

from ...answers.status import StatusFound
from ...operations.generations import GenerationStanding, of_generations, read_standings, setting_text
from ...recovery.deaths import neighbours, proven_dead
from ...scheduling.generations.standing import State
from ...states import LIVE, SEEN_WITHIN, UNSEEN_IS_DEAD
from ...store.statements.schedule import database_time
from ...store.views.causes import WaitsForLock, WaitsForSlot
from ...store.views.generations import Diff, read_diffs
from ...store.views.locks import THIN, Lock, read_locks
from ...store.views.names import require_application
from ...store.views.overview import RunningRun, WaitingRun
from ...store.views.replicas import ReplicaLine, read_replicas
from ...text import counted, listed, shortened
from ..api.asked import Parameters, Text
from .links import query_with, retire_path, schedule_path
from .moments import duration, rough
from .page import Page, Visit
from .states import Shown, Tone
from .troubles import SentencePart

LOCKS = 100
REPLICAS = 100
GENERATIONS = 5
_PAST = 5
_MOST = 3
_MINUTE = 60.0
_OF_RUN = "run/"
_STATES: Mapping[State, Shown] = {
    "current": Shown("active", "ok", "ok"),
    "in lieu": Shown("fallback", "ok", "warn"),
    "staged": Shown("staged", "waiting", "run"),
    "next": Shown("next", "waiting", "run"),
    "superseded": Shown("superseded", "new", "idle"),
    "unknown": Shown("not known", "new", "idle"),
}
_FINISHING = Shown("finishing", "waiting", "run")


class FleetAsked(Parameters):
    """The application whose fleet is shown, and the locks."""

    application: Text | None = None
    lock: Text | None = None
    """Only locks whose names begin with this."""
    after: Text | None = None
    """The next page: only locks after this name."""


@dataclass(frozen=True, slots=True)
class ReplicaRow:
    """A replica as a row."""

    line: ReplicaLine
    name: str
    shown: Shown
    note: str
    """What else is to be said of its state."""
    runs: Sequence[RunningRun]
    """What it runs."""

    @property
    def is_gone(self) -> bool:
        """It runs nothing any more."""
        return self.line.state not in LIVE


@dataclass(frozen=True, slots=True)
class LockRow:
    """A lock that somebody holds, as a row."""

    lock: Lock
    id: str
    name: str
    kind: str
    """``schedule`` or ``leased``, if the daemon took it for itself."""
    path: str | None
    """The page of its schedule."""
    ttl: float
    """How long the lease is after each renewal."""
    waiting_runs: Sequence[WaitingRun]

    @property
    def left(self) -> float:
        """How much of the lease time is left, in percent."""
        return round(max(0.0, min(1.0, (self.lock.expires_in or 0.0) / self.ttl)) * 100, 1)

    @property
    def left_text(self) -> str:
        """The same in words: ``4.6 s of 5 s``."""
        left = self.lock.expires_in or 0.0
        return f"{left:.1f}\N{NO-BREAK SPACE}s of {duration(self.ttl)}" if left < _MINUTE else duration(left)

    @property
    def tone(self) -> Tone:
        """How good that is."""
        return "fail" if not self.lock.live else "warn" if self.left < THIN * 100 else "ok"


@dataclass(frozen=True, slots=True)
class GenerationRow:
    """A generation as a row."""

    one: GenerationStanding
    shown: Shown
    said: Sequence[str]
    """What it changed, what comes next, and what is to be acknowledged."""
    is_wrong: bool


def _read(connection: Connection, asked: FleetAsked, visit: Visit) -> Mapping[str, object]:
    require_application(connection, asked.application)
    of, dead = asked.application, proven_dead(neighbours(connection))
    now = database_time(connection)
    replicas = read_replicas(connection, application=of, past=_PAST, dead=dead)
    standings = read_standings(connection, of, limit=GENERATIONS, dead=dead, takeover_after=visit.takeover_after)
    diffs = read_diffs(connection, [(one.application, one.number) for one in standings])
    found = read_locks(connection, prefix=asked.lock or "", after=asked.after, limit=LOCKS + 1)
    rows = [_replica(line, visit.status, standings, now) for line in replicas[:REPLICAS]]
    locks = [_lock(lock, visit.status, now) for lock in found[:LOCKS]]
    return {
        "asked": asked,
        "sentence": list(_sentence(rows, standings, locks, now)),
        "replicas": rows,
        "more_replicas": max(len(replicas) - REPLICAS, 0),
        "alive": sum(one.line.is_alive for one in rows),
        "retire": "" if of is None or not _may_be_gone(of, visit) else retire_path(of),
        "why_not": visit.looker.why_not,
        "locks": locks,
        "next_locks": _link(asked, after=found[LOCKS - 1].name) if len(found) > LOCKS else "",
        "first_locks": _link(asked, after=None) if asked.after else "",
        "generations": [_generation(one, diffs.get((one.application, one.number))) for one in standings],
        "link": lambda **changed: _link(asked, **changed),
    }


def _may_be_gone(application: str, visit: Visit) -> bool:
    """Return whether an application still has schedules, and no replica is running."""
    has_schedules = any(line.application == application for line in visit.status.overview.schedules)
    return has_schedules and not visit.has_replica(application)


def _replica(
    line: ReplicaLine, status: StatusFound, standings: Sequence[GenerationStanding], now: datetime
) -> ReplicaRow:
    runs = [run for run in status.overview.running if run.holder == line.holder]
    shown, note = _state(line, standings, now)
    return ReplicaRow(line, f"{line.host}:{line.pid}", shown, note, runs if line.state in LIVE else ())


def _state(line: ReplicaLine, standings: Sequence[GenerationStanding], now: datetime) -> tuple[Shown, str]:
    if line.state == "dead":
        since = line.stopped_at or line.seen_at
        return Shown("dead", "crashed", "crash"), f"recorded {duration((now - since).total_seconds())} ago"
    if line.state == "stopped":
        return Shown("stopped", "new", "idle"), ""
    if line.seen_ago >= UNSEEN_IS_DEAD:
        return Shown("not seen", "stalled", "fail"), "counts as dead: others take its runs over"
    if line.seen_ago >= SEEN_WITHIN:
        return Shown("silent", "stalled", "warn"), f"not seen for {duration(line.seen_ago)}"
    if line.blocked is not None:
        return Shown("blocked", "stalled", "warn"), shortened(line.blocked)
    if line.state == "draining":
        return Shown("draining", "waiting", "run"), "starts nothing new"
    if line.held_back_by is not None:
        return Shown("held back", "waiting", "run"), f"leaves all runs to replicas of revision {line.held_back_by}"
    own = next(
        (one for one in standings if one.application == line.application and one.number == line.generation), None
    )
    is_ready = own is None or any(
        each.is_ready for each in own.replicas if (each.host, each.pid) == (line.host, line.pid)
    )
    return (Shown("ready", "ok", "ok"), "") if is_ready else (Shown("starting", "waiting", "run"), "not ready yet")


def _lock(lock: Lock, status: StatusFound, now: datetime) -> LockRow:
    name, kind, path = lock.name, "", None
    parts = lock.name.split("/")
    if lock.name.startswith(_OF_RUN) and len(parts) in (3, 4):
        name, kind, path = parts[2], "schedule", schedule_path(parts[1], parts[2])
    elif lock.name.startswith(("prune/", "ping/")):
        kind = "leased itself"
    waiting = [
        run
        for run in status.overview.waiting
        if isinstance(run.why, WaitsForLock | WaitsForSlot) and run.why.lock == lock.name
    ]
    return LockRow(lock, hashlib.sha256(lock.name.encode()).hexdigest()[:12], name, kind, path, lock.ttl(now), waiting)


def _generation(standing: GenerationStanding, diff: Diff | None) -> GenerationRow:
    problems = [one.text for one in of_generations([standing])]
    differs = "" if standing.differs is None or not standing.replicas else str(standing.differs)
    changed = [] if diff is None else [f"{name}: {_settings(of)}" for name, of in diff.settings.items()]
    said = [
        *problems,
        standing.next or "",
        shortened(standing.changes or "", 300),
        *changed[:_MOST],
        f"and {counted(len(changed) - _MOST, 'schedule')} more" if len(changed) > _MOST else "",
        f"differs from the active one: {differs}" if differs else "",
        f"acknowledged by {standing.acknowledged_by}" if standing.acknowledged_by else "",
    ]
    is_finishing = standing.state == "superseded" and bool(standing.replicas)
    shown = _FINISHING if is_finishing else _STATES[standing.state]
    return GenerationRow(standing, shown, [one for one in said if one], bool(problems))


def _settings(changes: Mapping[str, tuple[Any, Any]]) -> str:
    texts = [
        f"{setting} {' → '.join(shortened(setting_text(setting, value), 40) for value in change)}"
        for setting, change in changes.items()
    ]
    return listed(texts, _MOST)


def _sentence(
    replicas: Sequence[ReplicaRow], standings: Sequence[GenerationStanding], locks: Sequence[LockRow], now: datetime
) -> Iterator[SentencePart]:
    """Yield what is so, in a sentence or three."""
    alive = [one for one in replicas if one.line.is_alive]
    odd = [one for one in alive if one.shown.tone == "warn"]
    if not alive:
        yield SentencePart("No replica is running: nothing starts. Start one: ")
        yield SentencePart("leased run FILE", is_typed=True)
        return
    yield SentencePart(f"{counted(len(alive), 'replica')} {'is' if len(alive) == 1 else 'are'} alive")
    if odd:
        yield SentencePart(f"; {listed([f'{one.name} is {one.shown.word}' for one in odd], _MOST)}")
    held = [one for one in standings if one.state in ("current", "in lieu")]
    if len(held) == 1:
        yield SentencePart(
            f". Generation {held[0].number} is {'active' if held[0].state == 'current' else 'the fallback'}"
        )
    waited = [one for one in locks if one.waiting_runs or one.lock.waiting]
    for one in waited[:_MOST]:
        number = len(one.waiting_runs) + len(one.lock.waiting)
        what = counted(number, "run") if not one.lock.waiting else counted(number, "run or program", "runs or programs")
        yield SentencePart(f". {what} wait{'s' if number == 1 else ''} for the lock ")
        yield SentencePart(one.name, f"fleet?{urlencode({'lock': one.lock.name})}#locks")
    dead = [one for one in replicas if one.line.state == "dead"]
    if dead:
        ago = rough((now - max(one.line.seen_at for one in dead)).total_seconds())
        yield SentencePart(
            f". {listed([one.name for one in dead], _MOST)} died{f' {ago} ago' if len(dead) == 1 else ''}"
        )
    yield SentencePart(".")


def _link(asked: FleetAsked, **changed: str | None) -> str:
    return (query_with(asked.model_dump(), changed) or "?") + ("#locks" if "after" in changed else "")


FLEET = Page("/fleet", "fleet", FleetAsked, _read)
