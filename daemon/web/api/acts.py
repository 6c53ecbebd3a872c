"""The acts of the API, through the same operations as those of the commands; who and why are recorded."""

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from sqlalchemy import Connection

from ...answers.acts import CancelManyAnswer, PauseAnswer, ResumeAnswer, RetryManyAnswer, TriggerAnswer
from ...operations.backfill import Backfill, backfill, foresee_backfill
from ...operations.backfill_plan import Wanted
from ...operations.cancel import MOST_AT_ONCE, Cancellation, cancel, cancel_many, find_unfinished
from ...operations.forget import Forgotten, forget
from ...operations.pause import pause, resume
from ...operations.requester import recordable
from ...operations.retire import RetiredApplication, nothing_of, retire
from ...operations.retry import Retry, find_failed, retry, retry_many
from ...operations.selection import Selection, plan_some
from ...operations.trigger import request, trigger_as
from ...recovery.deaths import neighbours, proven_dead
from ...scheduling.deploys.sync import plan_outgoing
from ...store.statements.schedule import database_time
from ...store.views.names import application_of, require_application
from .asked import Instant, Moment, Parameters, RunId, Text, Unfit, before_now
from .endpoints import Endpoint

Who = Annotated[Text, AfterValidator(lambda text: recordable("by", text))]
Why = Annotated[Text, AfterValidator(lambda text: recordable("why", text))]
Application = Annotated[Text | None, Field(description="Needed if several have a schedule of this name.")]


class Authored(Parameters):
    """Who does it, and why."""

    by: Annotated[Who, Field(description="Who is doing this.")] = f"api@{socket.gethostname()}"
    why: Annotated[Why | None, Field(description="The reason.")] = None

    @property
    def author(self) -> dict[str, Any]:
        """Both, as operations take them."""
        return {"requested_by": self.by, "why": self.why}


class TriggerDone(Authored):
    """The run that is requested."""

    schedule: Text
    application: Application = None
    params: Annotated[dict[str, Any] | None, Field(description="They override the schedule's.")] = None
    key: Annotated[Text | None, Field(description="Requests with the same key return the same run.")] = None
    at: Annotated[Moment | None, Field(description="When to start it; by default now.")] = None


class Selected(Authored):
    """The schedules that are meant: one, those with a tag, or all."""

    schedule: Text | None = None
    tag: Text | None = None
    all: Annotated[bool, Field(description="All schedules, or all of the application.")] = False
    application: Application = None

    def selection(self, connection: Connection) -> Selection:
        """Return them; raises `Unfit`."""
        if sum((self.schedule is not None, self.tag is not None, self.all)) != 1:
            raise Unfit('say which schedules: give one of "schedule", "tag" and "all"')
        return Selection(self.application, self.schedule, self.tag).in_one_application(connection)


class PauseDone(Selected):
    """A pause."""

    until: Annotated[Moment | None, Field(description="When it ends; by default when they are resumed.")] = None


class OnRun(Authored):
    """The run to which it is done."""

    run_id: RunId


class RetryDone(OnRun):
    """A retry."""

    from_job: Annotated[Text | None, Field(description="Run this job and all later ones again.")] = None


class OnMany(Authored):
    """The runs to which it is done, 1,000 at most."""

    schedule: Text | None = None
    tag: Text | None = None
    application: Application = None
    dry_run: Annotated[bool, Field(description="Say what would be done, and do nothing.")] = False

    def selection(self, connection: Connection) -> Selection:
        """Return whose runs are meant; raises `NotFound` and `Ambiguous`."""
        return Selection(self.application, self.schedule, self.tag).in_one_application(connection)


class CancelManyDone(OnMany):
    """The end of runs that are not over."""


class RetryManyDone(OnMany):
    """Retries of the runs that failed lately and were not retried."""

    since: Annotated[Moment, Field(description="Only runs that failed since this instant, or this long ago.")] = (
        timedelta(days=1)
    )


class BackfillDone(Authored):
    """The scheduled times that are run after all."""

    schedule: Text
    application: Application = None
    first: Annotated[Instant, Field(description="The first scheduled time.")]
    last: Annotated[Instant, Field(description="The last scheduled time.")]
    at_most: Annotated[int, Field(ge=1, le=10_000, description="How many of its runs may be active at a time.")] = 1
    dry_run: Annotated[bool, Field(description="Say what would run, and do nothing.")] = False


class RetireDone(Authored):
    """The application that is gone."""

    application: Text


def _trigger(connection: Connection, asked: TriggerDone) -> TriggerAnswer:
    application = application_of(connection, asked.schedule, asked.application)
    at = asked.at.total_seconds() if isinstance(asked.at, timedelta) else asked.at
    wanted = request(application, asked.schedule, params=asked.params, key=asked.key, at=at, **asked.author)
    done = trigger_as(connection, wanted)
    return TriggerAnswer(done.run_id, application, asked.schedule, done.already, done.at)


def _pause(connection: Connection, asked: PauseDone) -> PauseAnswer:
    return PauseAnswer(pause(connection, asked.selection(connection), until=asked.until, **asked.author))


def _resume(connection: Connection, asked: Selected) -> ResumeAnswer:
    return ResumeAnswer(resume(connection, asked.selection(connection), **asked.author))


def _plan(connection: Connection, asked: Selected) -> bool:
    return asked.schedule is None and plan_some(connection, asked.selection(connection))


def _cancel(connection: Connection, asked: OnRun) -> Cancellation:
    return cancel(connection, asked.run_id, **asked.author)


def _retry(connection: Connection, asked: RetryDone) -> Retry:
    return retry(connection, asked.run_id, from_job=asked.from_job, **asked.author)


def _forget(connection: Connection, asked: OnRun) -> Forgotten:
    return forget(connection, asked.run_id, **asked.author)


def _backfill(connection: Connection, asked: BackfillDone) -> Backfill:
    if asked.first > asked.last:
        raise Unfit("first is after last; give the earlier time as first")
    application = application_of(connection, asked.schedule, asked.application)
    wanted = Wanted(application, asked.schedule, asked.first, asked.last, asked.at_most)
    return foresee_backfill(connection, wanted)[0] if asked.dry_run else backfill(connection, wanted, **asked.author)


def _plan_outgoing(connection: Connection, asked: RetireDone) -> bool:
    require_application(connection, asked.application)
    return bool(plan_outgoing(connection, nothing_of(asked.application)))


def _retire(connection: Connection, asked: RetireDone) -> RetiredApplication:
    return retire(connection, asked.application, dead=proven_dead(neighbours(connection)), **asked.author)


def _cancel_many(connection: Connection, asked: CancelManyDone) -> CancelManyAnswer:
    if (asked.schedule is None) == (asked.tag is None):
        raise Unfit('say which runs: give one of "schedule" and "tag"')
    found = find_unfinished(connection, asked.selection(connection))
    left = [run for run in found if run.outcome != "already"][:MOST_AT_ONCE]
    return CancelManyAnswer(asked.dry_run, left if asked.dry_run else cancel_many(connection, left, **asked.author))


def _retry_many(connection: Connection, asked: RetryManyDone) -> RetryManyAnswer:
    now = database_time(connection)
    within = (now - before_now(now, "since", asked.since)).total_seconds()
    found = find_failed(connection, asked.selection(connection), within)
    left = [run for run in found if run.outcome == "retried"][:MOST_AT_ONCE]
    left_out = [run for run in found if run.outcome != "retried"][:MOST_AT_ONCE]
    done = left if asked.dry_run else retry_many(connection, left, **asked.author)
    return RetryManyAnswer(asked.dry_run, [*done, *left_out])


def _act(
    name: str,
    summary: str,
    asks: type[Authored],
    answer: type,
    does: Callable[[Connection, Any], object],
    *,
    prepares: Callable[[Connection, Any], bool] | None = None,
) -> Endpoint:
    """Return the endpoint of an act, which has the path and the answer of the command of its ``name``."""
    return Endpoint("POST", f"/{name}", summary, asks, (name, 1, answer), does, prepares=prepares)


_CANCEL_MANY = "Cancel all active runs of a schedule or tag, 1,000 at most"
_FORGET = "Delete the params, reasons, errors and output of a finished run"
ACTS = [
    _act("trigger", "Request a run, now or later", TriggerDone, TriggerAnswer, _trigger),
    _act("pause", "Pause schedules", PauseDone, PauseAnswer, _pause, prepares=_plan),
    _act("resume", "Resume schedules", Selected, ResumeAnswer, _resume, prepares=_plan),
    _act("cancel", "Cancel a run", OnRun, Cancellation, _cancel),
    _act("retry", "Retry a failed or cancelled run", RetryDone, Retry, _retry),
    _act("cancel-many", _CANCEL_MANY, CancelManyDone, CancelManyAnswer, _cancel_many),
    _act("retry-many", "Retry all runs that failed lately, 1,000 at most", RetryManyDone, RetryManyAnswer, _retry_many),
    _act("backfill", "Run past scheduled times after all", BackfillDone, Backfill, _backfill),
    _act("forget", _FORGET, OnRun, Forgotten, _forget),
    _act("retire", "Retire an application for good", RetireDone, RetiredApplication, _retire, prepares=_plan_outgoing),
]
