"""Why a run did not run, or waits: a closed set of causes, each with its fields, and one sentence of each.

Pure; `why` reads them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from ...states import MOST_ABANDONED
from ...text import shortened, when
from .defined import retirement

NO_REPLICA = "no replica is running; start one: leased run FILE"
"""The reason and the remedy where nothing can run."""


@dataclass(frozen=True, slots=True)
class Overlapped:
    """An earlier run of its schedule was not over when it was due (`overlap = "skip"`)."""

    run_id: int | None
    """None where an older version of leased recorded it."""
    replica: str | None
    """Who had that run then, as ``host:pid``; None: it waited itself."""
    kind: Literal["overlap"] = "overlap"


@dataclass(frozen=True, slots=True)
class NothingUp:
    """It was planned so late that it counts as missed, and `catch_up` left it out."""

    since: datetime | None
    """The last that was planned of this schedule, or the last sign of life of any replica, before it."""
    until: datetime
    """When it was planned."""
    kind: Literal["nothing up"] = "nothing up"


@dataclass(frozen=True, slots=True)
class StartWithinOver:
    """It had not started by then, which `start_within` asks."""

    start_by: datetime
    since: datetime | None
    """As in `NothingUp`; None: it was planned in time, and waited."""
    until: datetime
    kind: Literal["start_within"] = "start_within"


@dataclass(frozen=True, slots=True)
class Paused:
    """Its schedule was paused; without more, where that is not known any more."""

    by: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """When the pause was to end by itself; None: when it is resumed."""
    why: str | None = None
    kind: Literal["paused"] = "paused"


@dataclass(frozen=True, slots=True)
class Excluded:
    """Its schedule does not run on that day (`exclude`)."""

    kind: Literal["excluded"] = "excluded"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A person or a program cancelled it; a run that is not over ends as soon as its work has."""

    by: str | None
    why: str | None
    kind: Literal["cancelled"] = "cancelled"


@dataclass(frozen=True, slots=True)
class Replaced:
    """A newer run of its schedule took its place (`overlap = "replace"`); it ends as soon as its work has."""

    run_id: int | None
    """That run; None: it was planned only after this one was recorded."""
    kind: Literal["replaced"] = "replaced"


@dataclass(frozen=True, slots=True)
class Retired:
    """Its schedule is retired, and no replica has it anymore."""

    by: str | None = None
    """By what: a generation, or whoever ended the application; None: not known, or it is defined again."""
    at: datetime | None = None
    kind: Literal["retired"] = "retired"


@dataclass(frozen=True, slots=True)
class WaitsForRun:
    """An earlier run of its schedule is not over."""

    run_id: int
    replica: str | None
    kind: Literal["run"] = "run"


@dataclass(frozen=True, slots=True)
class WaitsForRetry:
    """An attempt failed; the next one may start then."""

    at: datetime
    reason: str | None = None
    """The last line of its error."""
    kind: Literal["retry"] = "retry"


@dataclass(frozen=True, slots=True)
class WaitsForStart:
    """It may not start before then: of its `jitter`, say, or because it was requested for then."""

    at: datetime
    kind: Literal["start"] = "start"


@dataclass(frozen=True, slots=True)
class WaitsForLock:
    """Another run or program holds the lease that it needs."""

    lock: str
    held_by: str | None
    run_id: int | None
    """The run under it, if it is one of the daemon's."""
    since: datetime | None = None
    kind: Literal["lock"] = "lock"


@dataclass(frozen=True, slots=True)
class WaitsForSlot:
    """All slots of the lock that it shares are taken."""

    lock: str
    slots: int
    run_id: int | None = None
    """The run of the same lock that goes first because its priority is higher, if there is one."""
    schedule: str | None = None
    kind: Literal["slot"] = "slot"


@dataclass(frozen=True, slots=True)
class WaitsForReplica:
    """No living replica has its definition."""

    generation: int | None
    """The newest with this definition; None: none is known."""
    retired_by: str | None = None
    """By what its schedule was retired since."""
    retired_at: datetime | None = None
    others: bool = True
    """Replicas of its application are running that have not its definition."""
    kind: Literal["replica"] = "replica"


@dataclass(frozen=True, slots=True)
class WaitsForPlace:
    """It may start, and has not yet: the replicas that have its definition are busy, or will see it soon."""

    run_id: int | None = None
    """The run that goes first because its priority is higher, if there is one."""
    schedule: str | None = None
    kind: Literal["place"] = "place"


@dataclass(frozen=True, slots=True)
class WaitsForTurn:
    """It, or its schedule, was abandoned twice in a row: a replica has only one such run at a time."""

    kind: Literal["turn"] = "turn"


@dataclass(frozen=True, slots=True)
class WaitsForBackfill:
    """Its backfill lets it start behind the others of it, and behind all other runs of its schedule."""

    backfill: int
    kind: Literal["backfill"] = "backfill"


NotRun = Overlapped | NothingUp | StartWithinOver | Paused | Excluded | Cancelled | Replaced | Retired
Waits = (
    WaitsForRun
    | WaitsForRetry
    | WaitsForStart
    | WaitsForLock
    | WaitsForSlot
    | WaitsForReplica
    | WaitsForPlace
    | WaitsForTurn
    | WaitsForBackfill
)
Why = NotRun | Waits


def sentence(why: Why, written: Callable[[datetime], str] = when) -> str:
    """Return a cause in words, with its instants as they are ``written``: ``waits for the retry at …``."""
    match why:
        case Overlapped():
            which = "an earlier run" if why.run_id is None else f"run {why.run_id}"
            return f"overlap: {which} was active" + (f" ({why.replica} had it)" if why.replica else "")
        case NothingUp():
            return f"missed: {_away(why.since, why.until, written)}"
        case StartWithinOver():
            away = "" if why.since is None else f": {_away(why.since, why.until, written)}"
            return f"missed: start_within ended at {written(why.start_by)}{away}"
        case Paused():
            return paused_text(why.by, why.since, why.until, why.why, written)
        case Excluded():
            return "excluded: its schedule does not run on that day"
        case Cancelled():
            return f"cancelled by {why.by or 'an unknown user'}" + (f": {why.why}" if why.why else "")
        case Replaced():
            return "replaced by a newer run" if why.run_id is None else f"replaced by run {why.run_id}"
        case Retired():
            was = "was retired" if why.at is None else f"was {retirement(why.at, why.by, written)}"
            return f"its schedule {was}, and no replica has it anymore"
        case WaitsForBackfill():
            return f"waits for its turn in backfill {why.backfill}"
        case WaitsForRun():
            return f"waits for run {why.run_id}" + (f" ({why.replica} has it)" if why.replica else "")
        case WaitsForRetry():
            return f"waits for the retry at {written(why.at)}" + (f": {shortened(why.reason)}" if why.reason else "")
        case WaitsForStart():
            return f"waits for its start at {written(why.at)}"
        case WaitsForLock():
            run = "" if why.run_id is None else f" for run {why.run_id}"
            return f'waits for the lock "{why.lock}", held by {why.held_by or "an unknown client"}{run}'
        case WaitsForSlot():
            return f'waits for one of the {why.slots} slots of the lock "{why.lock}"{_behind(why)}'
        case WaitsForReplica():
            if not why.others and why.retired_at is None:
                return NO_REPLICA
            which = "with its definition" if why.generation is None else f"of generation {why.generation}"
            how = "" if why.retired_at is None else retirement(why.retired_at, why.retired_by, written)
            return f"waits for a replica {which}" + (f"; its schedule was {how}" if how else "")
        case WaitsForPlace():
            return f"waits for free capacity on a replica{_behind(why)}"
        case WaitsForTurn():
            return f"was abandoned {MOST_ABANDONED - 1} times in a row: waits until no other such run is running there"
        case _:
            assert_never(why)


def paused_text(
    by: str | None,
    since: datetime | None,
    until: datetime | None,
    why: str | None,
    written: Callable[[datetime], str] = when,
) -> str:
    """Return a pause in words, with its instants as they are ``written``: ``paused by ann@web-1 since … until …: why``."""
    who = f" by {by}" if by else ""
    start = f" since {written(since)}" if since else ""
    end = f" until {written(until)}" if until else ""
    return f"paused{who}{start}{end}" + (f": {why}" if why else "")


def _behind(why: WaitsForPlace | WaitsForSlot) -> str:
    return "" if why.run_id is None else f"; run {why.run_id} of {why.schedule} goes first: its priority is higher"


def _away(since: datetime | None, until: datetime, written: Callable[[datetime], str]) -> str:
    start = "" if since is None else f"from {written(since)} "
    return f"no replica was running {start}to {written(until)}"
