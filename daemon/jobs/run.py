"""The argument of a job's function: `Run` for functions, `AsyncRun` for async functions."""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import lease
from lease.clock import boottime
from lease.durations import parse_duration
from lease.errors import LeaseLost

from .brief import Brief
from .reports import Progress

LOGGER = "leased.job"
"""The name of the logger behind `run.log`, unless another logger is given."""


class _BaseRun:
    """What both kinds have in common.

    `trusted_until` returns the end of trust; `report` takes each progress report, on any thread;
    `make_logger` is called for the logger when that is asked for, and `told_to_end` returns whether the attempt was asked
    to end, where nothing else tells it.
    """

    def __init__(
        self,
        brief: Brief,
        trusted_until: Callable[[], float],
        report: Callable[[Progress], None],
        make_logger: Callable[[], logging.Logger] = lambda: logging.getLogger(LOGGER),
        *,
        told_to_end: Callable[[], bool] = lambda: False,
    ) -> None:
        self._brief = brief
        self._trusted_until = trusted_until
        self._report = report
        self._told_to_end = told_to_end
        self._make_logger = make_logger

    @property
    def schedule(self) -> str:
        """The schedule's name."""
        return self._brief.schedule

    @property
    def scheduled_for(self) -> datetime:
        """The scheduled time of this run in UTC, not the time at which it started."""
        return self._brief.scheduled_for

    @property
    def attempt(self) -> int:
        """The number of this attempt of the job, counted from 1."""
        return self._brief.attempt

    @property
    def token(self) -> int:
        """The fencing token: higher than all tokens that were granted before under this lease's name."""
        return self._brief.grant.token

    @property
    def params(self) -> Mapping[str, Any]:
        """The parameters: those of the schedule, overridden by those of the request."""
        return self._brief.params

    @property
    def idempotency_key(self) -> str:
        """A key that is the same in every attempt and retry of this job for this scheduled time or request.

        A job runs at least once. Insert the key in the fenced transaction that writes (ON CONFLICT DO
        NOTHING), and skip the write if it is there: then the effect happens once.
        """
        return self._brief.idempotency_key

    @cached_property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines are part of the job's output."""
        of = self._brief
        known = {"schedule": of.schedule, "job": of.job, "run_id": of.run_id, "attempt": of.attempt}
        return logging.LoggerAdapter(self._make_logger(), known)

    def ensure(self, at_least: str | float = 0) -> None:
        """Raise LeaseLost unless the lease can be trusted for `at_least` longer (``"5s"``, or seconds). Raise
        it too if this attempt must stop: it has timed out, its replica is stopping, or its run was cancelled.
        """
        if self._told_to_end():
            raise LeaseLost("this job must stop: it has timed out, its replica is stopping, or its run was cancelled")
        needed = parse_duration(at_least) if at_least else 0.0
        left = self._trusted_until() - boottime()
        if left <= 0 or left < needed:
            name, token = self._brief.grant.name, self._brief.grant.token
            now = (
                f"can be trusted for another {left:.1f}s, but {needed:g}s are needed"
                if left > 0
                else "can no longer be trusted"
            )
            raise LeaseLost(f"lease {name!r} (token {token}) {now}")

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Report how far the job is: ``done`` of ``total``, in any unit. It is cheap and never waits."""
        float(done), float(total or 0)  # raises here what is not a number: it is the job's mistake
        self._report(Progress(done, total, message))

    def _fence(self, connection: Any) -> Coroutine[Any, Any, None] | None:
        answer: Coroutine[Any, Any, None] | None = lease.fence(
            connection, self._brief.grant, home=self._brief.database, identity=self._brief.identity
        )
        return answer


class Run(_BaseRun):
    """What a job's function gets: which run this is, and its lease, parameters, log and progress."""

    def fence(self, connection: Any) -> None:
        """Fence the transaction of `connection`: it commits only while this run holds its lease (rule 11).

        Call it first in the transaction. Raises LeaseLost if the run no longer holds its lease,
        LeaseError if the connection cannot be fenced, and TypeError for an async connection.
        """
        answer = self._fence(connection)
        if answer is not None:
            answer.close()
            raise TypeError(
                f"run.fence was given a {type(connection).__name__}, which must be awaited: "
                "make the job an async function, or pass a sync connection"
            )


class AsyncRun(_BaseRun):
    """What a job's async function gets: which run this is, and its lease, parameters, log and progress."""

    def fence(self, connection: Any) -> Awaitable[None]:
        """Fence the transaction of `connection`: it commits only while this run holds its lease (rule 11).

        Call it first in the transaction, and await it for an async connection. Raises LeaseLost if the
        run no longer holds its lease, and LeaseError if the connection cannot be fenced.
        """
        answer = self._fence(connection)
        return _Done() if answer is None else answer


def run_of_function(run: AsyncRun) -> Run:
    """Return the attempt of ``run`` as a function that is not async gets it."""
    return Run(run._brief, run._trusted_until, run._report, run._make_logger, told_to_end=run._told_to_end)  # noqa: SLF001 - both kinds are of this module


class _Done:
    """An awaitable that is done already; unlike a coroutine it need not be awaited."""

    def __await__(self) -> Generator[None]:
        return
        yield
