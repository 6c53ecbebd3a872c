"""`leased retry`: runs that try others again which are over."""

from typing import Annotated

import typer

from ....operations.requester import recordable, requester
from ....operations.retries.retry import Retry
from ....operations.retries.retry import retry as retry_run
from ...answers import write_json
from ...ask import ask
from ...options import Database, Json, RunNumber
from ...screen import say, screen


def retry(
    run_id: RunNumber,
    from_job: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="JOB",
            help="Run all jobs again from this one on, also of a run that succeeded; by default from the first "
            "that is not done.",
        ),
    ] = None,
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="The reason, recorded with the run.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="WHO", help="Who retries it; by default the user and the host.")
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Try a run again that failed or was cancelled: what it has done is carried over, the rest runs."""
    if why is not None:
        recordable("--why", why)
    who = recordable("--by", by) if by is not None else requester()
    done = ask(
        database,
        lambda connection: retry_run(connection, run_id, requested_by=who, why=why, from_job=from_job),
        write=True,
    )
    if as_json:
        write_json("retry", done)
        return
    say(screen(), _sentence(done))


def _sentence(done: Retry) -> str:
    of = f"run {done.retry_of} of {done.schedule} ({done.application})"
    if done.already:
        why = f": {done.requested_why}" if done.requested_why else ""
        return f"{of} was already retried by {done.requested_by}{why}, as run {done.run_id}; that one is {done.state}"
    said = [f"run {done.run_id} tries {of} again: it runs {', '.join(done.jobs or ())}"]
    if done.carried:
        said.append(f"done before and carried over: {', '.join(done.carried)}")
    if done.redefined:
        said.append("its definition has changed since, and it goes by the present one")
    if done.gone:
        said.append(f"left out, as no longer defined: {', '.join(done.gone)}")
    said.append("it waits for the runs before it" if done.waits else "it is waiting for a replica")
    return "; ".join(said)
