"""`leased why` and `leased stack`: why a schedule or a run does or does not run, and what a job does at this moment."""

import asyncio
from time import monotonic
from typing import Annotated

import typer
from sqlalchemy import Connection

from lease.durations import format_duration, parse_duration
from lease.errors import InvalidDuration

from ....answers.questions import explain_schedule
from ....operations.look import StackAnswer, not_answered, read_look
from ....operations.look import ask as ask_replica
from ....operations.why import Explanation, Moments, read_why_run
from ....service.settings import read_settings
from ....store.statements.schedule import database_time
from ....text import clean, when
from ...ask import ask, ask_again, run_given
from ...failures import Misused
from ...options import Application, By, Database, Json, RunOrName, Utc, author, number_if_any
from ...screen import Times, for_people, print_sentences, say, screen, write_json

_WELL = {"due", "running", "succeeded", "on request"}
_NEITHER = {"retired", "not active", "disabled", "paused", "waiting", "skipped", "ended", "excluded", "cancelled"}


def why(
    name: Annotated[str, typer.Argument(metavar="NAME|RUN", help="A schedule's name, or the number of a run.")],
    utc: Utc = False,
    application: Application = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Say why a schedule or a run does or does not run, and what to do."""
    run_id = number_if_any(name, application)
    takeover_after = read_settings({"database_url": database}).takeover_after

    def read(connection: Connection) -> Explanation:
        now = database_time(connection)
        moments = Moments(now, Times.of(now, utc=utc or as_json).by_clock)
        if run_id is not None:
            return read_why_run(connection, run_id, moments)
        return explain_schedule(connection, name, application, takeover_after, moments)

    found = ask(database, read)
    if as_json:
        write_json("why", found)
        return
    console = screen()
    what = found.schedule if found.run_id is None else f"run {found.run_id} of {found.schedule}"
    console.print(f"{clean(what)} ({clean(found.application)})  ", style="bold", end="", soft_wrap=True)
    style = "green" if found.state in _WELL else "yellow" if found.state in _NEITHER else "red"
    console.print(found.state, style=style)
    say(console, found.text, lead="  ")
    if found.next and for_people():
        say(console, " / ".join(found.next), "dim", lead="  ")
    if found.items:
        console.print()
    for one in found.items:
        say(console, one.text, lead=f"{clean(one.what):>14}  ")


_EVERY = 0.2
_LONGEST = 300.0


def stack(
    run: RunOrName,
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="How long to wait for the replica's answer.")
    ] = "10s",
    application: Application = None,
    by: By = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show what a running job does at this moment: its processes and where its code stands."""
    try:
        within = parse_duration(timeout)
    except InvalidDuration as error:
        raise Misused(f"--timeout: {error}") from None
    if not 0 < within <= _LONGEST:
        raise Misused(f"--timeout is {timeout}; write a duration from 1s to {format_duration(_LONGEST)}")
    who = author(by, None)
    run_id = run_given(database, run, application, "active")
    question = ask(database, lambda connection: ask_replica(connection, run_id, requested_by=who), write=True)
    found: StackAnswer | None = None
    until = monotonic() + within

    def goes_on(look: StackAnswer | None) -> bool:
        nonlocal found
        found = look
        return look is None and monotonic() < until

    ask_again(database, lambda connection: read_look(connection, question), goes_on, rest=lambda: asyncio.sleep(_EVERY))
    if found is None:
        raise not_answered(question, format_duration(within))
    if as_json:
        write_json("stack", found)
    else:
        _show(found)


def _show(found: StackAnswer) -> None:
    console = screen()
    name = f"run {found.run_id} of {found.schedule} ({found.application}) on {found.replica}"
    say(console, f"{name}, at {when(found.looked_at)}", "bold")
    if found.job is None:
        say(console, "between two jobs", lead="  ")
    else:
        say(console, f"{found.job}, attempt {found.attempt}, {_HOW[str(found.isolation)]}", lead="  ")
    for one in found.stacks:
        console.print()
        say(console, one.of if one.count == 1 else f"{one.of} ({one.count} of them)", "bold")
        for frame in one.frames or ("no Python code",):
            say(console, frame, lead="  ")
    if found.processes:
        console.print()
        say(console, "processes", "bold")
    for each in found.processes:
        state = each.state if each.waits_in is None else f"{each.state} in {each.waits_in}"
        used = f"{each.cpu_seconds:.2f}s of processor time"
        say(console, f"{each.pid} {state}, {used}: {each.command}", lead="  ")
    print_sentences(console, found.remarks, apart=True)


_HOW = {
    "task": "an async job in the replica",
    "thread": "in a thread of the replica",
    "process": "a function in its own process",
    "command": "a command",
}
