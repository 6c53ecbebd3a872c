"""The page of a schedule: what is so, its runs, the coming days and its definition."""

from collections.abc import Mapping

from sqlalchemy import Connection

from ...answers.why import explain_schedule
from ...operations.why import Moments
from .links import ScheduleAsked
from .page import Page, Visit


def _read(connection: Connection, asked: ScheduleAsked, visit: Visit) -> Mapping[str, object]:
    found = explain_schedule(connection, asked.name, asked.application, visit.takeover_after, Moments(visit.now))
    return {"application": found.application, "name": found.schedule, "said": found.sentence}


SCHEDULE = Page("/schedules/{application}/{name}", "schedule", ScheduleAsked, _read, tab="overview")
