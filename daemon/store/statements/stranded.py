"""The statements on stranded runs, which are running although their grant is over (rule 18)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, case, exists, false, func, literal, null, select, text, update

from lease.database.backend import backend_of, quoted, schema_of
from lease.database.dialects import clock, now, seconds_between
from lease.model import Grant
from lease.schema import broken_under, lease, stale

from ...states import RunState
from ..tables import job_run, replica, run, schedule
from .dialects import among_keys, are, columns, if_given, running
from .run import unless_marked


@dataclass(frozen=True, slots=True)
class StrandedRun:
    """A running run whose attempt must be ended."""

    run_id: int
    application: str
    schedule: str
    grant: Grant
    ended: bool
    """The lease shows another grant, or none; otherwise this grant must still be ended."""
    lived: bool
    """Its holder was seen after the grant had ended, released it, or ended in good order: it did not die (rule 16)."""
    begun: bool = False
    """A job was at work."""


def find(connection: Connection, application: str | None) -> list[StrandedRun]:
    """Return the running runs whose grant is stale or has ended; but not those of a broken one whose work may go on:
    under another slot, the next attempt would start beside it (rule 23).
    """
    is_over = (_ended & ~func.coalesce(broken_under(run.c.holder, run.c.token), false())) | stale()
    query = _runs(_ended_itself | _lived).where(is_over, *if_given(run.c.application, application))
    return [_stranded(row) for row in connection.execute(query)]


def under(connection: Connection, grants: Collection[Grant]) -> list[StrandedRun]:
    """Return the running runs under these grants, whose holders are known to be dead."""
    keys = [(grant.name, grant.token, grant.holder) for grant in grants]
    under_these = among_keys((run.c.lease_name, run.c.token, run.c.holder), keys)
    return [_stranded(row) for row in connection.execute(_runs(_ended_itself).where(under_these))]


def suspects(connection: Connection, application: str, boot_id: str, pid_namespace: str) -> list[Row[Any]]:
    """Return the running runs of replicas in this boot and pid namespace, with a row per keeper."""
    of_keeper = (job_run.c.run_id == run.c.id) & _of_attempt & job_run.c.keeper_pid.is_not(None)
    here = (replica.c.boot_id == boot_id, replica.c.pid_namespace == pid_namespace)
    query = (
        select(
            *columns(run, "id lease_name token holder"),
            *columns(replica, "pid start_time"),
            *columns(job_run, "keeper_pid keeper_start"),
        )
        .join(replica, replica.c.holder == run.c.holder)
        .outerjoin(job_run, of_keeper)
        .where(run.c.application == application, running, *here)
    )
    return list(connection.execute(query.order_by(run.c.id, job_run.c.id)))


def stop_runs(connection: Connection, runs: Collection[StrandedRun]) -> dict[int, RunState]:
    """Put these runs back to pending, or end those marked as cancelled, and those of which their holder
    has recorded that they have failed; return states by id.

    Since when each may start is left as it is: on SQLite, the wall clock may be a day ahead just now.
    """
    values = {
        "state": case((_has_failed, "failed"), else_="pending"),
        "finished_at": case((_has_failed, now()), else_=null()),
        "token": null(),
        "holder": null(),
    }
    stopped = update(run).where(_these(runs)).values(**unless_marked(values))
    return {row.id: row.state for row in connection.execute(stopped.returning(run.c.id, run.c.state))}


def abandon_runs(
    connection: Connection, runs: Collection[StrandedRun], most: int, reason: str, last_chance: str
) -> dict[int, RunState]:
    """Record an abandoned attempt of each run, which the ``most``-th fails for this ``reason``; before
    that it waits for that of its ``last_chance``. Return states by id.

    Those marked end as cancelled. The schedules' rows must be locked.
    """
    over = _has_failed | (run.c.abandoned + 1 >= most)
    values = {
        "state": case((over, "failed"), else_="pending"),
        "reason": case(
            (_has_failed, run.c.reason), (over, reason), (run.c.abandoned + 2 >= most, last_chance), else_=null()
        ),
        "finished_at": case((over, now()), else_=null()),
        "abandoned": run.c.abandoned + 1,
        "token": null(),
        "holder": null(),
    }
    abandoned = update(run).where(_these(runs)).values(**unless_marked(values))
    ended = connection.execute(abandoned.returning(run.c.id, run.c.state, run.c.application, run.c.schedule)).all()
    if keys := {(row.application, row.schedule) for row in ended}:
        connection.execute(update(schedule).where(are(keys)).values(abandoned=schedule.c.abandoned + 1))
    return {row.id: row.state for row in ended}


def end_jobs(connection: Connection, runs: Collection[StrandedRun], state: Literal["abandoned", "stopped"]) -> None:
    """Record the state in which the jobs that were running in these attempts ended: as failed where
    their holder has recorded an error.

    They are locked in their order, as their holder does, which may write just now what it knows of them.
    The next grant overwrites when this one was last renewed, so that it is kept with them.
    """
    renewed_at = (
        select(lease.c.renewed_at)
        .join(run, run.c.lease_name == lease.c.name)
        .where(run.c.id == job_run.c.run_id, lease.c.token == job_run.c.token)
        .correlate(job_run)
        .scalar_subquery()
    )
    these = among_keys((job_run.c.run_id, job_run.c.token, job_run.c.holder), _proofs(runs))
    at_work = select(job_run.c.id).where(these, job_run.c.state == "running").order_by(job_run.c.id)
    ended = update(job_run).where(job_run.c.id.in_(at_work.with_for_update(key_share=True).scalar_subquery()))
    as_ended = case((job_run.c.error.is_not(None), "failed"), else_=state)
    connection.execute(ended.values(state=as_ended, finished_at=now(), renewed_at=renewed_at))


_has_failed = run.c.reason.is_not(None)
"""Its holder has recorded why a running run has failed (`leave_word`)."""
_ended_itself = func.coalesce(replica.c.state == "stopped", false())
"""The holder has recorded that it ends: no attempt of it is used up."""
# A lease without a row (restored from a partial copy, say) has no holder either.
_ended = lease.c.holder.is_(None) | (lease.c.holder != run.c.holder) | (lease.c.token != run.c.token)
_lived: ColumnElement[bool] = func.coalesce(
    case(
        (lease.c.name.is_(None), false()),
        (lease.c.holder.is_(None), literal(True)),
        (_ended, replica.c.seen_at > lease.c.granted_at),  # since another grant
        # Since it went stale.
        else_=seconds_between(replica.c.seen_at, now()) < seconds_between(lease.c.expires_at, clock()),
    ),
    false(),
)
"""The holder was seen since its grant was over: it did not die. Who else frees its lease ends the attempt with it."""
_of_attempt = (job_run.c.token == run.c.token) & (job_run.c.holder == run.c.holder) & (job_run.c.state == "running")


def _runs(lived: ColumnElement[bool]) -> Any:
    return (
        select(
            *columns(run, "id application schedule lease_name token holder"),
            _ended.label("ended"),
            lived.label("lived"),
            exists().where(job_run.c.run_id == run.c.id, _of_attempt).label("begun"),
        )
        .outerjoin(lease, lease.c.name == run.c.lease_name)
        .outerjoin(replica, replica.c.holder == run.c.holder)
        .where(running)
    )


def _these(runs: Collection[StrandedRun]) -> ColumnElement[bool]:
    return among_keys((run.c.id, run.c.token, run.c.holder), _proofs(runs)) & running


def _proofs(runs: Collection[StrandedRun]) -> list[tuple[int, int, str]]:
    return [(stranded.run_id, stranded.grant.token, stranded.grant.holder) for stranded in runs]


def _stranded(row: Row[Any]) -> StrandedRun:
    grant = Grant(row.lease_name, row.token, row.holder)
    return StrandedRun(row.id, row.application, row.schedule, grant, bool(row.ended), bool(row.lived), bool(row.begun))


_MOST_RUNS = 1_000
"""Runs per second that no installation makes for long."""


def skip_numbers(connection: Connection) -> None:
    """Let the numbers of runs go on above all that were given after the newest row was written.

    A manual run's number is in its idempotency key. SQLite numbers on from the highest that is there.
    """
    if not backend_of(connection).has_functions:
        return
    schema = quoted(schema_of(connection))
    newest = f"(SELECT max(created_at) FROM {schema}run), (SELECT max(seen_at) FROM {schema}replica)"
    connection.execute(
        text(
            f"SELECT setval(pg_get_serial_sequence('{schema}run', 'id'), greatest(last_value, (SELECT max(id) FROM {schema}run)) "
            f"+ {_MOST_RUNS} * CAST(1 + coalesce(extract(epoch FROM clock_timestamp() - greatest({newest})), 0) AS bigint)) "
            f"FROM {schema}run_id_seq"
        )
    )
