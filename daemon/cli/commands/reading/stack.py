"""`leased stack`: what the job of a run does at this moment."""

import asyncio
from time import monotonic
from typing import Annotated

import typer

from lease.durations import format_duration, parse_duration
from lease.errors import InvalidDuration

from ....operations.look import StackAnswer, ask, not_answered, read_look
from ....text import when
from ...ask import ask as ask_database
from ...ask import ask_again, run_given
from ...failures import Misused
from ...options import Application, By, Database, Json, RunOrName, author
from ...screen import print_sentences, say, screen, write_json

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
    question = ask_database(database, lambda connection: ask(connection, run_id, requested_by=who), write=True)
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
    if found.remarks:
        console.print()
        print_sentences(console, found.remarks)


_HOW = {
    "task": "an async job in the replica",
    "thread": "in a thread of the replica",
    "process": "a function in its own process",
    "command": "a command",
}
