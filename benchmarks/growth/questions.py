"""The questions that are asked of a database, and the time that its answers take, each in a transaction that is undone."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from statistics import median
from time import perf_counter

from sqlalchemy import Connection, make_url

import lease.statements
from daemon.answers.questions import explain_schedule
from daemon.answers.status import StatusReader
from daemon.execution.claim import claim
from daemon.operations.why import Moments
from daemon.scheduling.plan_due import plan_due
from daemon.service.loop.agenda import read_agenda
from daemon.store.statements.schedule import database_time
from daemon.store.views.overview import read_overview
from daemon.store.views.problems import problems
from daemon.store.views.report import read_report
from daemon.store.views.values import plain
from daemon.text import json_text
from lease.database.backend import ConnectionSettings
from lease.database.connections import connected, write_transaction

from ..contention.workload import BEGAN, JOB, MEASURED
from ..errors import BenchmarkError
from .filling import DUE, HOLDER, RENEWED, Definitions

_PLACES = 10
_TTL = 15.0
_PATIENCE = 60.0
_TAKEOVER_AFTER = 60.0
_NIGHT = timedelta(minutes=10)
_PAGE = 200
_ENOUGH = 3.0
"""Seconds after which a question is not asked again."""

Question = Callable[[Connection], object]


class _Undone(Exception):
    """Raised to roll back what a question has changed."""


def questions(definitions: Definitions) -> Mapping[str, Question]:
    """Return what a replica with these schedules asks, by its name."""
    schedules, known = definitions.schedules, definitions.known
    first_jobs = dict.fromkeys(schedules, JOB)

    def claims(connection: Connection) -> None:
        claimed = claim(connection, MEASURED, known, HOLDER, None, _TTL, _PLACES, first_jobs)
        _expect("claimed", len(claimed), _PLACES)

    def looks(connection: Connection) -> None:
        agenda = read_agenda(connection, MEASURED, known, HOLDER)
        _expect("due and available", int(agenda.due) + int(agenda.available), 2)

    def plans(connection: Connection) -> None:
        if unreadable := plan_due(connection, MEASURED, schedules, others=[]).unreadable:
            raise BenchmarkError(f"schedules could not be planned: {unreadable}")

    def renews(connection: Connection) -> None:
        renewed = lease.statements.renewing(HOLDER, _TTL, 1.0)(connection)
        _expect("renewed", len(renewed.pairs), RENEWED)

    def shows(connection: Connection) -> None:
        problems(read_overview(connection, MEASURED))

    def shows_all(connection: Connection) -> None:
        StatusReader(None, None, None, None, None, _TAKEOVER_AFTER, with_deadlines=True).read(connection)

    def shows_a_page(connection: Connection) -> None:
        reader = StatusReader(None, None, None, None, None, _TAKEOVER_AFTER, with_deadlines=True, limit=_PAGE)
        json_text(plain(reader.read(connection).answer))

    def explains(connection: Connection) -> None:
        explain_schedule(connection, next(iter(schedules)), None, _TAKEOVER_AFTER, Moments(database_time(connection)))

    def reports(connection: Connection) -> None:
        if not read_report(connection, BEGAN - _NIGHT, BEGAN).totals.due:
            raise BenchmarkError("nothing of the history is in the report")

    return {
        f"claim of {_PLACES} runs": claims,
        "look at what there is to do": looks,
        f"planning of {DUE} instants": plans,
        f"renewal of {RENEWED} leases": renews,
        "status": shows,
        "status --json": shows_all,
        f"page of {_PAGE} schedules of the API": shows_a_page,
        "why of a schedule": explains,
        "report of ten minutes": reports,
    }


@contextmanager
def asking(url: str) -> Iterator[Callable[[Question, int], float]]:
    """Yield a function that asks a question so many times at most over one connection, and returns the median in milliseconds."""
    with connected(make_url(url), ConnectionSettings()) as connection:

        def ask(question: Question, times: int) -> float:
            seconds: list[float] = []
            while len(seconds) < times and sum(seconds) < _ENOUGH:
                seconds.append(_seconds(connection, question))
            return median(seconds) * 1_000

        yield ask


def _seconds(connection: Connection, question: Question) -> float:
    seconds = 0.0
    try:
        with write_transaction(connection, _PATIENCE):
            began = perf_counter()
            question(connection)
            seconds = perf_counter() - began
            raise _Undone  # noqa: TRY301 - so that the transaction is rolled back
    except _Undone:
        return seconds


def _expect(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise BenchmarkError(f"{found} {what}, where {expected} were to be")
