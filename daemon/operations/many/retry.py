"""The retry of many runs that have failed (rule 23)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from sqlalchemy import Connection

from ...store import statements
from ...store.called import called
from ...store.schedule_key import ScheduleKey
from ..requester import refuse_unrecordable
from ..retries.plan import NoRetry, RetriedBefore, RetryPlan
from ..retries.retry import Planned, plan_retries, write_retries
from .chosen import Choice, ChosenRun, keys_of

RetryOutcome = Literal["retried", "already", "left out"]
"""What became of a run. already: it was retried meanwhile; left out: `why` says for what reason."""


@dataclass(frozen=True, slots=True)
class RetriedRun(ChosenRun):
    """A run that failed, and what its retry came to, or would come to."""

    outcome: RetryOutcome
    retried_as: int | None
    """The run that tries it again."""
    why: str | None
    """Why it was left out."""


def find_failed(connection: Connection, choice: Choice, within: float) -> list[RetriedRun]:
    """Return the runs that failed in the last ``within`` seconds and were not retried, and what a retry would do;
    nothing is written. Raises `NotFound`.

    Each is an occurrence of its own: that its schedule has succeeded since does not make up for it.
    """
    schedules = choice.schedules(connection, retired=False)
    found = statements.retries.find_failed(connection, schedules, within)
    ids = [row.id for row in found]
    keys = {(row.application, row.schedule) for row in found}
    return [_retried(one, {}) for one in plan_retries(connection, keys, ids, lock=False)]


def retry_many(
    connection: Connection, runs: Sequence[ChosenRun], *, requested_by: str, why: str | None = None
) -> list[RetriedRun]:
    """Try these runs again, each once, in this transaction; see `retry`. Return what became of each.

    Raises `NotRecordable` for a name or reason that cannot be kept.
    """
    refuse_unrecordable(requested_by, why)
    planned = plan_retries(connection, keys_of(connection, runs), [run.run_id for run in runs])
    made = write_retries(connection, planned, by=requested_by, why=why)
    done = [_retried(one, made) for one in planned]
    keys = {one.row.id: (one.row.application, one.row.schedule) for one in planned}
    counts = Counter(keys[run.run_id] for run in done if run.outcome == "retried")
    _record(connection, counts, requested_by, why)
    return done


def _record(connection: Connection, counts: Mapping[ScheduleKey, int], by: str, why: str | None) -> None:
    """Record one act for each schedule of which a run was retried."""
    for (application, name), count in counts.items():
        effect = f"{count:,} failed {'run' if count == 1 else 'runs'}"
        statements.acts.record(
            connection, "retry", by=by, application=application, schedule=name, why=why, effect=effect
        )


def _retried(one: Planned, made: Mapping[int, int]) -> RetriedRun:
    row, plan = one.row, one.plan
    outcome: RetryOutcome = "already" if row.retried_as is not None else "left out"
    as_run: int | None = row.retried_as
    why: str | None = None
    match plan:
        case RetryPlan():
            outcome, as_run = "retried", made.get(row.id)
        case RetriedBefore():
            pass
        case NoRetry():
            why = plan.why
        case _:
            assert_never(plan)
    return RetriedRun(row.id, row.application, called(one.schedule), row.scheduled_for, row.state, outcome, as_run, why)
