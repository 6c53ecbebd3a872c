"""What a job is given: `Run` in functions, `AsyncRun` in async functions."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Generator, Mapping
from datetime import datetime
from typing import Any

import lease
from lease.clock import boottime
from lease.durations import parse_duration
from lease.errors import LeaseLost

from .brief import Brief
from .reports import Progress

LOGGER = "leased.job"
"""The logger behind `run.log`, unless another is given."""


class _BaseRun:
    """What both kinds have. `trusted_until` reads the end of trust; `report` takes each progress, from any thread."""

    def __init__(
        self,
        brief: Brief,
        trusted_until: Callable[[], float],
        report: Callable[[Progress], None],
        logger: logging.Logger | None = None,
    ) -> None:
        self._brief = brief
        self._trusted_until = trusted_until
        self._report = report
        known = {"schedule": brief.schedule, "job": brief.job, "run_id": brief.run_id, "attempt": brief.attempt}
        self._log = logging.LoggerAdapter(logger or logging.getLogger(LOGGER), known)

    @property
    def schedule(self) -> str:
        """The schedule's name."""
        return self._brief.schedule

    @property
    def scheduled_for(self) -> datetime:
        """The due instant that this run accounts for, in UTC; not when it began."""
        return self._brief.scheduled_for

    @property
    def attempt(self) -> int:
        """Which attempt of this job this is, from 1."""
        return self._brief.attempt

    @property
    def token(self) -> int:
        """The fencing token: higher than every one granted before under this lease's name."""
        return self._brief.grant.token

    @property
    def params(self) -> Mapping[str, Any]:
        """The schedule's parameters."""
        return self._brief.params

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of one occurrence and job."""
        return self._brief.idempotency_key

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger; its lines are kept in the job's log tail."""
        return self._log

    def ensure(self, at_least: str | float = 0) -> None:
        """Raise LeaseLost unless the lease may be trusted for `at_least` (a duration) from now on (rule 2)."""
        needed = parse_duration(at_least) if at_least else 0.0
        left = self._trusted_until() - boottime()
        if left <= 0 or left < needed:
            name, token = self._brief.grant.name, self._brief.grant.token
            now = f"may be trusted for {left:.1f}s more, {needed:g}s are needed" if left > 0 else "is trusted no more"
            raise LeaseLost(f"lease {name!r} (token {token}) {now}")

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Tell how far the job has come; cheap, and never waits."""
        float(done), float(total or 0)  # what is no number, or too large for one, is the job's mistake, and raised here
        self._report(Progress(done, total, message))

    def _fence(self, connection: Any) -> Awaitable[None] | None:
        answer: Awaitable[None] | None = lease.fence(connection, self._brief.grant)
        return answer


class Run(_BaseRun):
    """The attempt that a function is making."""

    def fence(self, connection: Any) -> None:
        """Prove in the transaction of `connection` that this grant has not ended; LeaseLost, if it has (rule 11)."""
        answer = self._fence(connection)
        if answer is not None:
            if inspect.iscoroutine(answer):
                answer.close()
            raise TypeError(
                f"run.fence got a {type(connection).__name__}, which has to be awaited: "
                "make the job an async function, or give it a sync connection"
            )


class AsyncRun(_BaseRun):
    """The attempt that an async function is making."""

    def fence(self, connection: Any) -> Awaitable[None]:
        """Prove in the transaction of `connection` that this grant has not ended; LeaseLost, if it has (rule 11).

        With a sync connection it is proven on return, and awaiting the answer does nothing more.
        """
        answer = self._fence(connection)
        return _Done() if answer is None else answer


def run_of_function(run: AsyncRun) -> Run:
    """Return the attempt that ``run`` stands for as a function is given it."""
    return Run(run._brief, run._trusted_until, run._report, run._log.logger)  # noqa: SLF001 - both kinds are of this module


class _Done:
    """Awaitable, and never missed when it is not awaited."""

    def __await__(self) -> Generator[None]:
        return
        yield
