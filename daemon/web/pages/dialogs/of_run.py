"""The dialogs of a run: cancel it, retry it, or forget its data."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from ....definitions.schedule import read_job_names
from ....operations.cancel import decide
from ....operations.forget import decide as decide_forget
from ....operations.retry import NoRetry, RetriedBefore, RetryPlan, plan_retry
from ....store.tables import called
from ....store.views.causes import WaitsForLock, WaitsForRun, WaitsForSlot
from ....store.views.history import read_run
from ....store.views.names import timezone_of
from ....store.views.overview import WaitingRun
from ....store.views.usual import read_usual
from ....text import counted
from ...api.asked import RunId
from ..page import Page, Visit
from .dialog import ACTS_BY_PATH, Dialog, DialogAsked, Typed


class RunActAsked(DialogAsked):
    """The run on which somebody acts."""

    run_id: RunId


class RetryAsked(RunActAsked):
    """The run that is to be tried again, and from which job on."""

    from_job: Typed = ""


def _read_cancel(connection: Connection, asked: RunActAsked, visit: Visit) -> Mapping[str, object]:
    detail = read_run(connection, asked.run_id)
    run = detail.run
    impossible = {
        "ended": "",
        "marked": "",
        "already": f"It was cancelled by {detail.cancelled_by} already, and ends as soon as its job has stopped.",
        "over": f"Run {run.run_id} has ended: {run.state}.",
    }[decide(run.state, marked=detail.cancelled_at is not None)]
    line = visit.line(run.application, run.schedule)
    return {
        "run": run,
        "zone": timezone_of(connection, run.application, run.schedule),
        "impossible": impossible,
        "job": next((one for one in reversed(detail.jobs) if one.state == "running"), None),
        "kept": [one for one in detail.jobs if one.state == "succeeded"],
        "at_work": next((one for one in visit.status.overview.running if one.run_id == run.run_id), None),
        "replica": detail.replica,
        "behind": _behind(visit, run.run_id),
        "next_due": None if line is None else line.next_due,
        "back": f"runs/{run.run_id}",
    }


def _behind(visit: Visit, run_id: int) -> list[WaitingRun]:
    """Return the runs that wait for this one, or for the lock that it holds."""
    return [
        one
        for one in visit.status.overview.waiting
        if isinstance(one.why, WaitsForLock | WaitsForRun | WaitsForSlot) and getattr(one.why, "run_id", None) == run_id
    ]


def _read_retry(connection: Connection, asked: RetryAsked, visit: Visit) -> Mapping[str, object]:
    found = plan_retry(connection, asked.run_id, asked.from_job or None)
    application, schedule = found.row.application, called(found.schedule)
    impossible = ""
    match found.plan:
        case NoRetry(why):
            impossible = why[:1].upper() + why[1:]
        case RetriedBefore(again):
            impossible = f"Run {again} tries it again already."
        case RetryPlan():
            pass
    ahead = [
        one.run_id
        for one in visit.status.overview.running
        if (one.application, one.schedule) == (application, schedule)
    ]
    return {
        "run_id": asked.run_id,
        "schedule": schedule,
        "state": found.row.state,
        "impossible": impossible,
        "again": found.plan.run_id if isinstance(found.plan, RetriedBefore) else None,
        "plan": found.plan,
        "jobs": read_job_names(found.schedule.definition),
        "usual": read_usual(connection, {(application, schedule)}).get((application, schedule)),
        "ahead": ahead,
        "back": f"runs/{asked.run_id}",
    }


def _read_forget(connection: Connection, asked: RunActAsked, _visit: Visit) -> Mapping[str, object]:
    detail = read_run(connection, asked.run_id)
    run = detail.run
    impossible = {
        "forget": "",
        "nothing": f"It was forgotten by {detail.forgotten_by} already.",
        "refuse": f"It is {run.state}: wait until it ends, or cancel it first.",
    }[decide_forget(run.state, forgotten=detail.forgotten_at is not None)]
    printed = sum(one.log_tail is not None or one.printed_at is not None for one in detail.jobs)
    return {
        "run": run,
        "impossible": impossible,
        "deleted": [
            counted(len(detail.params), "parameter"),
            f"the output of {counted(printed, 'attempt')}",
            counted(sum(one.error is not None for one in detail.jobs), "error"),
            counted(sum(one is not None for one in (detail.requested_why, detail.cancelled_why)), "reason"),
        ],
        "others": [one for one in (run.retry_of, run.retried_as) if one],
        "back": f"runs/{run.run_id}",
    }


def _given(_connection: Connection, asked: RunActAsked) -> Mapping[str, Any]:
    return {"run_id": asked.run_id}


def _given_retry(_connection: Connection, asked: RetryAsked) -> Mapping[str, Any]:
    return {"run_id": asked.run_id} | ({"from_job": asked.from_job} if asked.from_job else {})


def _to_run(answer: Any) -> str:
    return f"runs/{answer.run_id}"


CANCEL = Dialog(
    Page("/runs/{run_id}/cancel", "dialog_cancel", RunActAsked, _read_cancel, tab="runs"),
    ACTS_BY_PATH["/cancel"],
    _given,
    _to_run,
)
RETRY = Dialog(
    Page("/runs/{run_id}/retry", "dialog_retry", RetryAsked, _read_retry, tab="runs"),
    ACTS_BY_PATH["/retry"],
    _given_retry,
    _to_run,
)
FORGET = Dialog(
    Page("/runs/{run_id}/forget", "dialog_forget", RunActAsked, _read_forget, tab="runs"),
    ACTS_BY_PATH["/forget"],
    _given,
    _to_run,
)
