"""The statements that delete what must not be kept of one run (rule 23)."""

from sqlalchemy import Connection, case, delete, or_, select, update

from lease.database.dialects import now

from ...tables import act, job_output, job_run, run


def forget(connection: Connection, run_id: int, by: str, said: str) -> None:
    """Delete the params of a run that is over, the reasons that people gave, and what its jobs printed,
    reported and failed with; the run must be locked. ``said`` becomes the reason of its end, unless that
    is one of ours that says nothing of it.
    """
    plain = or_(run.c.reason.is_(None), run.c.state == "skipped", run.c.reason == "retired")
    connection.execute(
        update(run)
        .where(run.c.id == run_id)
        .values(
            params="{}",
            requested_why=None,
            cancelled_why=None,
            look=None,
            reason=case((plain, run.c.reason), else_=said),
            forgotten_at=now(),
            forgotten_by=by,
        )
    )
    attempts = select(job_run.c.id).where(job_run.c.run_id == run_id)
    connection.execute(delete(job_output).where(job_output.c.job_run_id.in_(attempts)))
    nothing = dict.fromkeys(("error", "message", "log_tail", "tail_start", "tail_line"))
    connection.execute(update(job_run).where(job_run.c.run_id == run_id).values(**nothing))


def forget_acts(connection: Connection, application: str, schedule: str, run_id: int) -> None:
    """Delete the reasons that people gave for what they did to a run; who did what, and when, stays."""
    of_schedule = (act.c.application == application, act.c.schedule == schedule)
    connection.execute(update(act).where(*of_schedule, act.c.run_id == run_id).values(why=None, effect=None))
