"""The statements on `job_run`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, delete, exists, func, insert, literal, select, update

from lease.database.dialects import insert_missing, later, now
from lease.database.held.statement import Statement
from lease.model import Grant
from lease.schema import lease

from ..tables import job_output, job_run, replica, run
from .dialects import RUNNING, agrees, among_keys, as_rows, columns, given, has_grant, insert_or_replace, proven
from .run import marked


def find_started(connection: Connection, run_id: int, grant: Grant, job: str, attempt: int) -> int | None:
    """Return the id of the job run that an earlier `start_jobs` recorded, whose answer was lost."""
    key = (job_run.c.run_id == run_id, job_run.c.job == job, job_run.c.attempt == attempt)
    ours = (*has_grant(job_run, grant), job_run.c.state == "running")
    return connection.scalar(select(job_run.c.id).where(*key, *ours))


def is_recorded(connection: Connection, run_id: int, job: str, attempt: int) -> bool:
    """Return whether an attempt of a job is recorded, under whatever grant."""
    key = (job_run.c.run_id == run_id, job_run.c.job == job, job_run.c.attempt == attempt)
    return connection.scalar(select(literal(1)).where(*key)) is not None


def set_progress(connection: Connection, job_run_id: int, holder: str, values: Mapping[str, Any]) -> int:
    """Record the progress of a job whose grant is in force; return the number of rows changed."""
    return connection.execute(
        update(job_run).where(job_run.c.id == job_run_id, *_in_force(holder)).values(**values, progress_at=now())
    ).rowcount


def save_output(connection: Connection, holder: str, pieces: Sequence[Mapping[str, Any]]) -> frozenset[int]:
    """Add pieces of output (``number`` is of the job run, ``begins``, ``lines_before``, ``printed``), or write one that
    is there anew; return the job runs that are over or whose grant is not in force.
    """
    of = {"begins": job_output.c.start, "lines_before": job_output.c.line, "printed": job_output.c.text}
    ours = select(job_run.c.id, *(bindparam(name, type_=column.type) for name, column in of.items()), now())
    ours = ours.where(job_run.c.id == bindparam("number"), *_in_force(holder))
    added = insert_or_replace(connection, job_output, "text", "saved_at").from_select(
        ["job_run_id", "start", "line", "text", "saved_at"], ours
    )
    counted = added.execution_options(preserve_rowcount=True)
    if connection.execute(counted, list(pieces)).rowcount == len(pieces):
        return frozenset()
    numbers = [piece["number"] for piece in pieces]
    held = connection.scalars(select(job_run.c.id).where(job_run.c.id.in_(numbers), *_in_force(holder)))
    return frozenset(numbers).difference(held)


def delete_output(connection: Connection, starts: Mapping[int, int]) -> None:
    """Delete the output of job runs before a place, of each its own; call it after `save_output` has accepted them."""
    if starts:
        earlier = (job_output.c.job_run_id == bindparam("number"), job_output.c.start < bindparam("place"))
        places = [{"number": number, "place": start} for number, start in starts.items()]
        connection.execute(delete(job_output).where(*earlier), places)


def note_loss(  # noqa: PLR0917 - which attempt, and what of it
    connection: Connection, job_run_id: int, grant: Grant, kind: str, why: str | None, ended_ago: float
) -> None:
    """Record why the holder of an attempt lost its lease, and when its work ended, also after it was settled."""
    values = {"lost_by": kind, "lost_why": why, "work_ended_at": later(now(), -ended_ago)}
    this = (job_run.c.id == job_run_id, *has_grant(job_run, grant))
    connection.execute(update(job_run).where(*this, job_run.c.state != "succeeded").values(**values))


def leave_word(connection: Connection, job_run_id: int, grant: Grant, values: Mapping[str, Any]) -> int:
    """Record what is known of an attempt that is still at work; return the number of rows changed."""
    ours = (job_run.c.id == job_run_id, job_run.c.state == "running", *has_grant(job_run, grant))
    return connection.execute(update(job_run).where(*ours).values(**values)).rowcount


def add_not_started(connection: Connection, run_id: int, grant: Grant, jobs: Sequence[tuple[str, int]]) -> None:
    """Record that jobs (name, position) will not be started."""
    earlier = (job_run.c.run_id == run_id, job_run.c.job == bindparam("named"))
    last = select(func.coalesce(func.max(job_run.c.attempt), 0)).where(*earlier).scalar_subquery()
    row = {
        "run_id": run_id,
        "job": bindparam("named"),
        "position": bindparam("place"),
        "attempt": last + 1,
        "state": "not started",
        "token": grant.token,
        "holder": grant.holder,
        "started_at": now(),
        "finished_at": now(),
    }
    connection.execute(insert(job_run).values(**row), [{"named": job, "place": position} for job, position in jobs])


def read(connection: Connection, job_run_id: int) -> Row[Any] | None:
    return connection.execute(select(job_run).where(job_run.c.id == job_run_id)).one_or_none()


def of_runs(connection: Connection, run_ids: Collection[int]) -> Iterable[Row[Any]]:
    """Return (run_id, job, position, attempt, state) of all attempts so far; those of a job in order,
    wherever it stood in the definition.
    """
    query = select(*columns(job_run, "run_id job position attempt state"))
    query = query.where(among_keys(job_run.c.run_id, run_ids))
    return connection.execute(query.order_by(*columns(job_run, "run_id attempt position")))


def _in_force(holder: str) -> tuple[Any, ...]:
    """Return the conditions that a job run is at work under a grant of the holder that is in force."""
    of_run = (run.c.id == job_run.c.run_id, lease.c.name == run.c.lease_name)
    of_grant = (lease.c.token == job_run.c.token, lease.c.holder == job_run.c.holder)
    return job_run.c.state == "running", job_run.c.holder == holder, exists().where(*of_run, *of_grant)


def start_jobs(connection: Connection, rows: Iterable[Sequence[Any]]) -> dict[int, int]:
    """Record the starts of attempts, each under the grant of its run, which is kept in force until this transaction
    ends (rule 11); return the ids of the job runs by those of their runs.

    Rows are (id of the run, token, holder, job, position, attempt). Left out are those that are recorded already, whose
    run is not under that grant or is marked as cancelled, or whose lease another transaction has locked.
    """
    return dict(map(tuple, _START(connection, {"starts": as_rows(rows)})))


_starts = given("starts", number=int, token=int, holder=str, job=str, position=Integer, attempt=Integer)
_NEW = {
    "run_id": run.c.id,
    "job": _starts.c.job,
    "position": _starts.c.position,
    "attempt": _starts.c.attempt,
    "state": RUNNING,
    "token": run.c.token,
    "holder": run.c.holder,
    "started_at": now(),
    "release": select(replica.c.release).where(replica.c.holder == run.c.holder).scalar_subquery(),
}
_ours = (
    select(*_NEW.values())
    .where(
        *proven(run, _starts),
        ~marked,
        lease.c.name == run.c.lease_name,
        agrees(lease.c.token, _starts.c.token),
        agrees(lease.c.holder, _starts.c.holder),
    )
    .with_for_update(of=lease, read=True, key_share=True, skip_locked=True)
)
_START = Statement(insert_missing(job_run).from_select(list(_NEW), _ours).returning(job_run.c.run_id, job_run.c.id))
