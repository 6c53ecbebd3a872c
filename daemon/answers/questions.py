"""The answers of questions that are more than what a view returns; and the JSON Schema of an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_origin

from pydantic import TypeAdapter
from sqlalchemy import Connection

from ..operations.generations import Changed, GenerationStanding, read_standings
from ..operations.why import Explanation, Moments
from ..operations.why_schedule import read_why_schedule, why_not_active
from ..recovery.deaths import neighbours, proven_dead
from ..states import RunState
from ..store.views.acting import ActLine, BackfillLine
from ..store.views.history import JobRunLine, RunDetail, RunLine
from ..store.views.locks import Lock
from ..store.views.names import application_of, keys_named, require_application, require_schedule
from ..store.views.output import OutputOfRun, OutputPart
from ..store.views.replicas import ReplicaLine
from ..store.views.report import Act, Deploy, OutageLine, ScheduleReport, Totals
from . import Items, filled

ActivityAnswer = Items[ActLine]
BackfillsAnswer = Items[BackfillLine]
LocksAnswer = Items[Lock]
ReplicasAnswer = Items[ReplicaLine]
RunsAnswer = Items[RunLine]


@dataclass(frozen=True, slots=True)
class GenerationsAnswer:
    """The answer of `leased generations --json`."""

    items: list[GenerationStanding]
    diff: list[Changed] | None = None
    """With `--diff`: what the generation changed."""


def schema_of(name: str, answer: type) -> dict[str, Any]:
    """Return the JSON Schema of an answer, a dataclass, that is written as ``name``."""
    made = TypeAdapter(answer).json_schema(mode="serialization")
    if get_origin(answer) is Items:
        made["description"] = f"The answer of `leased {name.split('/')[1]} --json`."
    made["properties"] = {"schema": {"const": name, "type": "string"}, **made["properties"]}
    made["required"] = ["schema", *made.get("required", ())]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": name}


Level = Literal["green", "yellow", "red"]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check."""

    check: str
    level: Level
    text: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class DoctorAnswer:
    """The answer of `leased doctor --json`."""

    ok: bool
    """No check is red."""
    items: Sequence[Check]
    """The worst first."""


@dataclass(frozen=True, slots=True)
class ShowAnswer(RunLine):
    """The answer of `leased show --json`: a run, more about it, and its attempts."""

    params: Mapping[str, Any]
    abandoned: int
    available_at: datetime | None
    requested_by: str | None
    requested_why: str | None
    cancelled_at: datetime | None
    cancelled_by: str | None
    cancelled_why: str | None
    forgotten_at: datetime | None
    forgotten_by: str | None
    replica: str | None
    digest: str | None
    items: Sequence[JobRunLine]


def show_answer(detail: RunDetail) -> ShowAnswer:
    """Return a run as one object."""
    return filled(ShowAnswer, detail.run, detail, items=detail.jobs)


@dataclass(frozen=True, slots=True)
class LogsAnswer:
    """The answer of `leased logs --json`; with --follow, one for all that came at once."""

    run_id: int
    application: str
    schedule: str
    state: RunState
    items: Sequence[OutputPart]


def logs_answer(found: OutputOfRun) -> LogsAnswer:
    """Return the output of a run as one object."""
    return filled(LogsAnswer, found, items=found.parts)


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """The answer of `leased report --json`."""

    database_time: datetime
    since: datetime
    until: datetime
    ok: bool
    verdict: str
    totals: Totals
    deploys: Sequence[Deploy]
    acts: Sequence[Act]
    outages: Sequence[OutageLine]
    pruned_until: datetime | None
    """Runs of scheduled times up to then may have been deleted (`keep`)."""
    items: Sequence[ScheduleReport]
    """The schedules of which something was due, the ones with problems first."""


def explain_schedule(
    connection: Connection, name: str, application: str | None, takeover_after: float, moments: Moments
) -> Explanation:
    """Return why a schedule does or does not run; raises `NotFound` and `Ambiguous`."""
    require_application(connection, application)
    dead = proven_dead(neighbours(connection))
    standings = read_standings(connection, application, dead=dead, takeover_after=takeover_after)
    if not keys_named(connection, name, application, retired=True):
        if (answer := why_not_active(name, standings, moments.now)) is not None:
            return answer
        require_schedule(connection, name, application)
    of = application_of(connection, name, application)
    keys = keys_named(connection, name, of) or keys_named(connection, name, of, retired=True)
    own = [one for one in standings if one.application == of]
    return read_why_schedule(connection, name, keys[0], own, dead=dead, moments=moments)
