"""The questions of the API: the views that the commands read."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection

from ...answers import filled
from ...answers.notify import NotifyAnswer, notify_answer
from ...answers.questions import (
    ActivityAnswer,
    BackfillsAnswer,
    DoctorAnswer,
    GenerationsAnswer,
    LocksAnswer,
    LogsAnswer,
    ReplicasAnswer,
    ReportAnswer,
    RunsAnswer,
    ShowAnswer,
    explain_schedule,
    logs_answer,
    show_answer,
)
from ...answers.status import StatusAnswer, StatusReader
from ...operations.generations import read_standings
from ...operations.why import Explanation, Moments, read_why_run
from ...recovery.deaths import neighbours, proven_dead
from ...states import Act, RunState
from ...store.statements.schedule import database_time
from ...store.tables import ScheduleKey
from ...store.views.acting import read_activity, read_backfills
from ...store.views.history import read_run, read_runs
from ...store.views.locks import read_locks, require_lease
from ...store.views.names import require_application, require_schedule
from ...store.views.output import OutputReader
from ...store.views.replicas import read_replicas
from ...store.views.report import read_report
from ...text import when
from .asked import Limit, Moment, Parameters, RunId, Text, Unfit, before_now
from .endpoints import Endpoint

Name = Annotated[Text | None, Field(description="Only of this schedule.")]
Application = Annotated[Text | None, Field(description="Only of this application.")]
Before = Annotated[RunId | None, Field(description="The next page: only what comes after the item of this number.")]


class OfApplication(Parameters):
    """Parameters of what is asked of one application, or of all."""

    application: Application = None


class StatusAsked(OfApplication):
    """Parameters of a status."""

    schedule: Name = None
    state: Annotated[RunState | None, Field(description="Only schedules whose last run is in this state.")] = None
    tag: Annotated[Text | None, Field(description="Only schedules with this tag.")] = None
    since: Annotated[Moment | None, Field(description="Also problems since this instant, or this long ago.")] = None
    limit: Annotated[Limit, Field(description="Maximum number of schedules in `items`.")] = 200
    after: Annotated[
        Text | None, Field(description="The next page: only schedules after this APPLICATION/SCHEDULE, by name.")
    ] = None


class WhyAsked(OfApplication):
    """A schedule or a run."""

    schedule: Annotated[Text | None, Field(description="About this schedule.")] = None
    run_id: RunId | None = None


class ReportAsked(OfApplication):
    """Parameters of a report."""

    since: Annotated[Moment, Field(description="Only what was due since this instant, or this long ago.")] = timedelta(
        days=1
    )
    until: Annotated[Moment | None, Field(description="Only what was due before this instant, or this long ago.")] = (
        None
    )


class RunsAsked(OfApplication):
    """Parameters of a list of runs."""

    schedule: Name = None
    state: Annotated[RunState | None, Field(description="Only runs in this state.")] = None
    limit: Limit = 20
    before: Before = None


class RunAsked(Parameters):
    """The run that is meant."""

    run_id: RunId


class LogsAsked(RunAsked):
    """Parameters of a run's output."""

    job: Annotated[Text | None, Field(description="Only this job.")] = None
    attempt: Annotated[int | None, Field(ge=1, le=10**6, description="Only this attempt.")] = None


class LocksAsked(Parameters):
    """Parameters of a list of leases."""

    prefix: Annotated[str, Field(max_length=255, description="Only names that start with this.")] = ""
    free: Annotated[bool, Field(description="Also those that nobody holds.")] = False
    limit: Limit = 200
    after: Annotated[Text | None, Field(description="The next page: only leases after this one, by name.")] = None


class ReplicasAsked(OfApplication):
    """Parameters of a list of replicas."""

    past: Annotated[int, Field(ge=0, le=10_000, description="Number of stopped replicas to include.")] = 10


class GenerationsAsked(OfApplication):
    """Parameters of a list of generations."""

    limit: Limit = 20


class ActivityAsked(OfApplication):
    """Parameters of a list of acts."""

    schedule: Name = None
    by: Annotated[Text | None, Field(description="Only acts of this user.")] = None
    act: Annotated[Act | None, Field(description="Only acts of this kind.")] = None
    since: Annotated[Moment | None, Field(description="Only acts since this instant, or this long ago.")] = None
    limit: Limit = 20
    before: Before = None


class BackfillsAsked(OfApplication):
    """Parameters of a list of backfills."""

    limit: Limit = 20
    before: Before = None


def _runs(connection: Connection, asked: RunsAsked) -> RunsAnswer:
    require_schedule(connection, asked.schedule, asked.application)
    return RunsAnswer(read_runs(connection, **asked.model_dump()))


def _show(connection: Connection, asked: RunAsked) -> ShowAnswer:
    return show_answer(read_run(connection, asked.run_id))


def _logs(connection: Connection, asked: LogsAsked) -> LogsAnswer:
    return logs_answer(OutputReader(asked.run_id, asked.job, asked.attempt).read(connection))


def _locks(connection: Connection, asked: LocksAsked) -> LocksAnswer:
    require_lease(connection, asked.prefix)
    return LocksAnswer(read_locks(connection, **asked.model_dump()))


def _why(takeover_after: float, connection: Connection, asked: WhyAsked) -> Explanation:
    now = database_time(connection)
    match asked:
        case WhyAsked(schedule=str(name), run_id=None):
            return explain_schedule(connection, name, asked.application, takeover_after, Moments(now))
        case WhyAsked(schedule=None, run_id=int(run_id), application=None):
            return read_why_run(connection, run_id, Moments(now))
        case _:
            raise Unfit('give either "schedule", perhaps with "application", or "run_id"')


def _report(connection: Connection, asked: ReportAsked) -> ReportAnswer:
    require_application(connection, asked.application)
    now = database_time(connection)
    first = before_now(now, "since", asked.since)
    last = now if asked.until is None else before_now(now, "until", asked.until)
    if first >= last:
        raise Unfit(f"until: {when(last)} is not after since, which is {when(first)}; give a later time")
    return filled(ReportAnswer, read_report(connection, first, last, asked.application))


def _notify(connection: Connection, asked: OfApplication) -> NotifyAnswer:
    return notify_answer(connection, asked.application)


def _replicas(connection: Connection, asked: ReplicasAsked) -> ReplicasAnswer:
    require_application(connection, asked.application)
    dead = proven_dead(neighbours(connection))
    return ReplicasAnswer(read_replicas(connection, application=asked.application, past=asked.past, dead=dead))


def _activity(connection: Connection, asked: ActivityAsked) -> ActivityAnswer:
    require_schedule(connection, asked.schedule, asked.application)
    return ActivityAnswer(read_activity(connection, what=asked.act, **asked.model_dump(exclude={"act"})))


def _backfills(connection: Connection, asked: BackfillsAsked) -> BackfillsAnswer:
    require_application(connection, asked.application)
    return BackfillsAnswer(read_backfills(connection, **asked.model_dump()))


_OTHERS = [
    Endpoint(
        "GET",
        "/runs",
        "Runs, latest first",
        RunsAsked,
        ("runs", 2, RunsAnswer),
        _runs,
        cursor=lambda run: {"before": run.run_id},
    ),
    Endpoint("GET", "/runs/{run_id}", "One run with its attempts", RunAsked, ("show", 2, ShowAnswer), _show),
    Endpoint("GET", "/runs/{run_id}/logs", "The output of a run's jobs", LogsAsked, ("logs", 1, LogsAnswer), _logs),
    Endpoint("GET", "/report", "Report of all that was due", ReportAsked, ("report", 1, ReportAnswer), _report),
    Endpoint(
        "GET",
        "/locks",
        "Who holds which lease",
        LocksAsked,
        ("locks", 1, LocksAnswer),
        _locks,
        cursor=lambda lock: {"after": lock.name},
    ),
    Endpoint("GET", "/notify", "Who is notified", OfApplication, ("notify", 1, NotifyAnswer), _notify),
    Endpoint("GET", "/replicas", "Replicas", ReplicasAsked, ("replicas", 1, ReplicasAnswer), _replicas),
    Endpoint(
        "GET",
        "/activity",
        "Who did what, when and why, latest first",
        ActivityAsked,
        ("activity", 1, ActivityAnswer),
        _activity,
        cursor=lambda act: {"before": act.act_id},
    ),
    Endpoint(
        "GET",
        "/backfills",
        "Backfills and the progress of each, latest first",
        BackfillsAsked,
        ("backfills", 1, BackfillsAnswer),
        _backfills,
        cursor=lambda one: {"before": one.backfill_id},
    ),
]


def _status(takeover_after: float, connection: Connection, asked: StatusAsked) -> StatusAnswer:
    given = asked.since
    since = None if given is None else lambda now: before_now(now, "since", given)
    which = (asked.application, asked.schedule, asked.state, asked.tag)
    reader = StatusReader(
        *which, since, takeover_after, with_deadlines=True, after=_key(asked.after), limit=asked.limit
    )
    return reader.read(connection).answer


def _generations(takeover_after: float, connection: Connection, asked: GenerationsAsked) -> GenerationsAnswer:
    require_application(connection, asked.application)
    dead = proven_dead(neighbours(connection))
    limit, of = asked.limit, asked.application
    return GenerationsAnswer(read_standings(connection, of, limit=limit, dead=dead, takeover_after=takeover_after))


def questions(takeover_after: float, doctor: Callable[[], DoctorAnswer]) -> list[Endpoint]:
    """Return the endpoints that read; ``doctor`` examines the installation."""
    return [
        Endpoint(
            "GET",
            "/status",
            "Replicas, schedules, active runs, and what is late, stuck or failing",
            StatusAsked,
            ("status", 2, StatusAnswer),
            partial(_status, takeover_after),
            cursor=lambda line: {"after": f"{line.application}/{line.schedule}"},
        ),
        Endpoint(
            "GET",
            "/why",
            "Why a schedule or a run does or does not run",
            WhyAsked,
            ("why", 1, Explanation),
            partial(_why, takeover_after),
        ),
        Endpoint(
            "GET",
            "/generations",
            "The generations of the definitions",
            GenerationsAsked,
            ("generations", 1, GenerationsAnswer),
            partial(_generations, takeover_after),
        ),
        Endpoint(
            "GET",
            "/doctor",
            "Check the database, this machine and the replicas",
            Parameters,
            ("doctor", 1, DoctorAnswer),
            lambda _connection, _asked: doctor(),
            is_apart=True,
        ),
        *_OTHERS,
    ]


def _key(after: str | None) -> ScheduleKey | None:
    """Return the application and the schedule after which a page begins; raises `Unfit`."""
    if after is None:
        return None
    application, slash, name = after.partition("/")
    if not slash:
        raise Unfit("after: it is not APPLICATION/SCHEDULE; take it from the header Link of the page before")
    return application, name
