"""The generations as they stand: who runs which, what differs, what comes next, and what they changed (rule 21)."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from sqlalchemy import Connection

from lease.durations import format_duration

from ..definitions.toml_text import DURATIONS
from ..errors import CannotAct, NotFound
from ..scheduling.generations.order import FOR_GOOD_AFTER, Differences, Generation, Order, differences
from ..scheduling.generations.standing import State, held_back, held_back_by, state_of
from ..scheduling.generations.standing import who_runs as they_run
from ..store import statements
from ..store.views.generations import GenerationLine, RunBy, read_diffs, read_generations
from ..store.views.problems import Problem
from ..text import listed
from .requester import refuse_unrecordable

MOST = 50
"""So many of the generations that came last are looked at."""


@dataclass(frozen=True, slots=True)
class GenerationStanding:
    """A generation, how it stands, and who runs it."""

    application: str
    number: int
    digest: str
    revision: int | None
    """What it counts as."""
    state: State
    brought_by: str
    came_at: datetime
    ruled_at: datetime | None
    superseded_at: datetime | None
    changes: str | None
    counts: bool
    """Its revision does: no take-over under a lower one has come since."""
    replaced: int | None
    """The generation of which it kept no schedule when it became active."""
    replaced_schedules: tuple[str, ...]
    """What it retired of that in the last 7 days and is retired still, unless that was acknowledged."""
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    held_back_by: int | None
    """The higher revision of an older generation, which no replica runs, that keeps it from being current."""
    replicas: tuple[RunBy, ...]
    differs: Differences | None
    """In what, from the definitions in the database; None if they are its own, or that is not known."""
    next: str | None
    """What comes next, and when about: the replicas themselves count the time."""


def read_standings(
    connection: Connection,
    application: str | None = None,
    *,
    limit: int = MOST,
    dead: Collection[str] = (),
    takeover_after: float,
) -> list[GenerationStanding]:
    """Return how the generations stand, those of each application from the newest on."""
    lines = read_generations(connection, application, limit=limit, dead=dead)
    return [
        one
        for _, of_application in groupby(lines, key=lambda line: line.application)
        for one in _standings(list(of_application), takeover_after)
    ]


def beside_each_other(standings: Iterable[GenerationStanding]) -> list[GenerationStanding]:
    """Return those that live, rule, or wait for that, of applications that have more than one such."""
    found: list[GenerationStanding] = []
    for _, group in groupby(standings, key=lambda one: one.application):
        some = [one for one in group if one.replicas or one.state != "superseded"]
        found += some if len(some) > 1 else []
    return found


def of_generations(standings: Iterable[GenerationStanding]) -> Iterator[Problem]:
    """Yield the problems with generations: one kept nothing of the one before, or is held back."""
    for one in standings:
        if one.replaced_schedules:
            text = (
                f"generation {one.number} of {one.application} ({one.brought_by}) shares no schedule with "
                f"generation {one.replaced}, and retired all of its schedules: {listed(one.replaced_schedules)}; "
                f"if this is intended, `leased generations {one.number} --acknowledge`; if two applications share "
                f"this name, rename one"
            )
            yield Problem("replaced", text, one.application)
        if one.held_back_by is not None and (one.replicas or one.state == "in lieu"):
            text = f"generation {one.number} of {one.application} is {held_back(one.held_back_by)}"
            yield Problem("held back", text, one.application)


def who_runs(standings: Iterable[GenerationStanding]) -> str:
    """Return who runs these generations: ``2 replicas on web1, web2 run generation 7``."""
    return they_run((one.number, one.revision, [replica.host for replica in one.replicas]) for one in standings)


def processes(standings: Iterable[GenerationStanding]) -> str:
    """Return the processes that run them, as text: ``web1:4711, web2:17``."""
    return ", ".join(f"{replica.host}:{replica.pid}" for one in standings for replica in one.replicas)


def _standings(lines: Sequence[GenerationLine], takeover_after: float) -> list[GenerationStanding]:
    made = {
        line.number: Generation(line.number, line.digest, line.ruled_at is None, line.rules, line.revision, line.counts)
        for line in lines
    }
    order = Order(list(made.values()))
    living = {line.digest for line in lines if line.replicas}
    ruler = next((line for line in lines if line.rules), None)
    recorded = [name for name in GenerationStanding.__match_args__ if name in GenerationLine.__match_args__]
    return [
        GenerationStanding(
            **{name: getattr(line, name) for name in recorded},
            state=state_of(order, made[line.number]),
            held_back_by=None if order.newest is None else held_back_by(made[line.number], order.newest, living),
            differs=_differs(line, ruler),
            next=_next(order, made[line.number], lines, takeover_after),
        )
        for line in lines
    ]


def _differs(line: GenerationLine, ruler: GenerationLine | None) -> Differences | None:
    if ruler is None or line is ruler or line.fingerprints is None or ruler.fingerprints is None:
        return None
    return differences(line.fingerprints, ruler.fingerprints)


def _next(order: Order, own: Generation, lines: Sequence[GenerationLine], takeover_after: float) -> str | None:
    by_number = {line.number: line for line in lines}
    line, newest = by_number[own.number], order.newest
    match state_of(order, own):
        case "staged":
            return "it becomes active as soon as one of its replicas is ready, or at once with --take-over"
        case "next":
            ready = [one.ready_for for one in line.replicas if one.is_ready and one.ready_for is not None]
            if ready:
                left = _about(takeover_after, max(ready))
                return f"it becomes active again {left} if one of its replicas stays ready"
            wait = format_duration(takeover_after)
            return f"it becomes active again when one of its replicas has been ready for {wait}"
        case "in lieu" if newest is not None and not _is_ready(by_number[newest.number]):
            left = _about(FOR_GOOD_AFTER, by_number[newest.number].away_for)
            return f"it becomes active for good {left} unless a replica of generation {newest.number} is ready"
        case "in lieu" if newest is not None:
            return f"it gives way to generation {newest.number}"
        case "superseded" if newest is not None and _is_ready(line):
            higher = {one.number for one in order.generations if one.rank > own.rank and one.digest != own.digest}
            newer = [one for one in lines if one.number in higher]
            if any(_is_ready(one) for one in newer):
                return None
            away_for = min((one.away_for for one in newer if one.away_for is not None), default=None)
            left = _about(takeover_after, away_for)
            return f"it becomes active {left} unless a replica of generation {newest.number} is ready"
    return None


def _about(after: float, passed: float | None) -> str:
    left = after if passed is None else max(0.0, after - passed)
    return f"in about {format_duration(float(round(left)))}"


def _is_ready(line: GenerationLine) -> bool:
    return any(one.is_ready for one in line.replicas)


@dataclass(frozen=True, slots=True)
class ChangedSetting:
    """A setting that a generation changed."""

    setting: str
    """``timing``, ``job NAME, SETTING`` of a job, or ``param NAME``."""
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Changed:
    """A schedule that a generation changed."""

    application: str
    schedule: str
    how: Literal["retimed", "changed"]
    """retimed: it is due at other times, and executes the same."""
    settings: tuple[ChangedSetting, ...]


def setting_text(setting: str, value: object) -> str:
    """Return the value of ``setting`` as text: a duration as people write it, a string as it is, and all else as JSON."""
    if value is None:
        return "not set"
    if isinstance(value, float) and setting.rpartition(", ")[2] in DURATIONS:
        return format_duration(value)
    if isinstance(value, Mapping) and setting == "long":
        return ", ".join(f"{level} {format_duration(seconds)}" for level, seconds in value.items())
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def read_changed(connection: Connection, standings: Sequence[GenerationStanding]) -> list[Changed]:
    """Return what these generations changed when their definitions last came into the database."""
    from ..scheduling.deploys.sync import is_timing_only  # noqa: PLC0415 - the definitions, and all that they load

    found, keys = [], [(one.application, one.number) for one in standings]
    diffs = read_diffs(connection, keys)
    for one in standings:
        diff = diffs.get((one.application, one.number))
        for name, settings in () if diff is None else diff.settings.items():
            how: Literal["retimed", "changed"] = "retimed" if is_timing_only(settings) else "changed"
            changes = tuple(ChangedSetting(key, *change) for key, change in settings.items())
            found.append(Changed(one.application, name, how, changes))
    return found


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A generation that is acknowledged."""

    application: str
    number: int
    already: bool
    """It was before, and nothing was written."""
    acknowledged_by: str
    acknowledged_at: datetime


def acknowledge(
    connection: Connection, application: str, number: int, *, requested_by: str, why: str | None = None
) -> Acknowledged:
    """Record that what generation ``number`` retired is meant; it is no problem any more. A second time writes nothing.

    Raises `NotFound`, `CannotAct`, and `NotRecordable` for a name or reason that cannot be kept.
    """
    refuse_unrecordable(requested_by, why)
    statements.schedule.take_turn(connection, application)
    found = statements.generation.read(connection, application, number)
    if found is None:
        newest = statements.generation.newest_number(connection, application)
        there = "there are none yet" if newest is None else f"the newest is {newest}"
        raise NotFound(f'"{application}" has no generation {number}; {there} (`leased generations` lists them)')
    if found.replaced is None:
        raise CannotAct(
            f'there is nothing to acknowledge: generation {number} of "{application}" did not retire all schedules of '
            "the one before"
        )
    already = found.acknowledged_at is not None
    if not already:
        statements.generation.acknowledge(connection, application, number, requested_by)
        effect = f"generation {number} replaces all schedules of generation {found.replaced}"
        statements.acts.record(
            connection, "acknowledge", by=requested_by, application=application, why=why, effect=effect
        )
        found = statements.generation.read(connection, application, number)
        assert found is not None  # noqa: S101 - it was there
    return Acknowledged(application, number, already, found.acknowledged_by, found.acknowledged_at)
