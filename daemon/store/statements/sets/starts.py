"""The starts of attempts."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, Text, select

from lease.database.dialects import insert_missing, now
from lease.database.held.statement import Statement
from lease.schema import lease

from ...tables import job_run, replica, run
from ..acting.cancel import marked
from ..dialects import RUNNING
from .given import agrees, as_rows, given


def start_jobs(connection: Connection, rows: Iterable[Sequence[Any]]) -> dict[int, int]:
    """Record the starts of attempts, each under the grant of its run, which is kept in force until
    this transaction ends (rule 11); return the ids of the job runs by those of their runs.

    Rows are (id of the run, token, holder, job, position, attempt). Left out are those that are
    recorded already, whose run is not under that grant or is marked as cancelled, or whose lease
    another transaction has locked.
    """
    return dict(tuple(row) for row in _START(connection, {"starts": as_rows(rows)}))


_starts = given("starts", number=BigInteger, token=BigInteger, holder=Text, job=Text, position=Integer, attempt=Integer)
_ours = (
    select(
        run.c.id,
        _starts.c.job,
        _starts.c.position,
        _starts.c.attempt,
        RUNNING,
        run.c.token,
        run.c.holder,
        now(),
        select(replica.c.release).where(replica.c.holder == run.c.holder).scalar_subquery(),
    )
    .where(
        run.c.id == _starts.c.number,
        agrees(run.c.state, RUNNING),
        agrees(run.c.token, _starts.c.token),
        agrees(run.c.holder, _starts.c.holder),
        ~marked(),
        lease.c.name == run.c.lease_name,
        agrees(lease.c.token, _starts.c.token),
        agrees(lease.c.holder, _starts.c.holder),
    )
    .with_for_update(of=lease, read=True, key_share=True, skip_locked=True)
)
_NAMES = ["run_id", "job", "position", "attempt", "state", "token", "holder", "started_at", "release"]
_START = Statement(insert_missing(job_run).from_select(_NAMES, _ours).returning(job_run.c.run_id, job_run.c.id))
