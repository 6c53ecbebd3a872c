"""`leased backfill` and `leased backfills`: past instants that are run after all."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Literal

import typer
from sqlalchemy import Connection

from ....answers.questions import BackfillsAnswer
from ....operations.backfill import Backfill, ChangedBackfill, change_backfill, counted_text, foresee_backfill
from ....operations.backfill import backfill as run_missing
from ....operations.backfill_plan import Wanted
from ....operations.cancel import said
from ....operations.named import application_of
from ....store.views.acting import BackfillLine, read_backfills
from ....store.views.names import require_application
from ....text import number, when
from ...ask import act, ask, zone_of
from ...failures import Misused, refuse_beside
from ...options import Application, By, Database, DryRun, Json, Limit, ScheduleName, Why, Yes, author, confirm, instant
from ...screen import Sheet, say, screen, write_json

_AT_MOST_HELP = 'How many of its runs may be active at a time; more than 1 needs overlap = "allow".'


def backfill(
    schedule: ScheduleName,
    first: Annotated[
        str, typer.Option("--from", metavar="TIME", help='The first scheduled time: "yesterday 02:00", "2026-11-01", …')
    ],
    last: Annotated[
        str, typer.Option("--to", metavar="TIME", help="The last scheduled time; a date includes that day.")
    ],
    at_most: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help=_AT_MOST_HELP)] = 1,
    application: Application = None,
    why: Why = None,
    by: By = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Run a schedule's past scheduled times that have not succeeded, one run each, after its other runs."""
    zone = zone_of(database, schedule, application)
    start = instant("--from", first, zone, past=True, quiet=as_json)
    end = instant("--to", last, zone, past=True, to_end=True, quiet=as_json)
    if start > end:
        raise Misused(f"--from {when(start)} is after --to {when(end)}; give the earlier time as --from")
    who = author(by, why)

    def look(connection: Connection) -> tuple[Wanted, Backfill]:
        wanted = Wanted(application_of(connection, schedule, application), schedule, start, end, at_most)
        return wanted, foresee_backfill(connection, wanted)

    wanted, done = ask(database, look)
    named = f"{schedule} ({wanted.application})"
    if not dry_run:
        if done.will_run:
            confirm(f"{named}: {counted_text(done)}. Run them?", yes=yes)
        done = ask(database, lambda c: run_missing(c, wanted, requested_by=who, why=why), write=True)
    if as_json:
        write_json("backfill", done)
        return
    if not done.instants:
        span = f"from {when(start)} to {when(end)}"
        say(screen(), f"{named} has no scheduled time {span} in what has been planned so far; nothing was done", hang=2)
    else:
        say(screen(), f"{named}: {counted_text(done)}; {_and_now(done)}", hang=2)


def backfills(
    limit: Limit = 20,
    database: Database = None,
    application: Application = None,
    as_json: Json = False,
) -> None:
    """List backfills and the progress of each, latest first."""

    def read(connection: Connection) -> list[BackfillLine]:
        require_application(connection, application)
        return read_backfills(connection, limit=limit, application=application)

    found = ask(database, read)
    if as_json:
        write_json("backfills", BackfillsAnswer(found))
        return
    if not found:
        say(screen(), "There are no backfills; `leased backfill NAME --from TIME --to TIME` requests one.")
        return
    shown = Sheet(
        *("backfill", "application", "schedule", "from", "to", "runs", "done", "failed", "state", "who", "why"),
        right=("backfill", "runs", "done", "failed"),
        wraps=("why",),
        spare=("to",),
    )
    for one in found:
        counts = (number(one.instants), number(one.done), number(one.failed) if one.failed else "")
        span = (when(one.first), when(one.last))
        cells = (*span, *counts, _state(one), one.requested_by, one.requested_why)
        shown.add(one.backfill_id, one.application, one.schedule, *cells)
    screen().print(shown)


def _state(one: BackfillLine) -> str:
    if one.cancelled_at is not None:
        return "cancelled"
    if one.is_over:
        return "over"
    return "paused" if one.paused_at is not None else "open"


def _and_now(done: Backfill) -> str:
    if done.dry_run:
        return "nothing was done"
    if done.backfill_id is None:
        return "there is nothing left to run; nothing was done"
    at_a_time = "one at a time" if done.at_most == 1 else f"at most {done.at_most} at a time"
    return f"backfill {done.backfill_id} runs them after other runs, {at_a_time}; see `leased backfills`"


def act_on_backfill(
    what: Literal["pause", "resume", "cancel"],
    backfill_id: int,
    beside: Mapping[str, object],
    *,
    database: str | None,
    who: str,
    why: str | None,
    as_json: bool,
) -> None:
    """Pause, resume or cancel a backfill; raises `Misused` for other options that select runs."""
    refuse_beside(beside, "cannot be combined with --backfill: leave it out")
    change = partial(change_backfill, what=what, backfill_id=backfill_id, requested_by=who, why=why)
    act(database, change, "backfill-changed", partial(_changed, what), as_json=as_json, hang=2)


def _changed(what: str, done: ChangedBackfill) -> str:
    named = f"backfill {done.backfill_id} of {done.schedule} ({done.application})"
    if done.already:
        before = {"pause": "was already paused", "resume": "is not paused", "cancel": "was already cancelled"}
        return f"{named} {before[what]}; nothing changed"
    words = {
        "pause": "is paused: runs that have been enqueued continue, and no other starts until you resume it",
        "resume": "is resumed: its runs start again, after all others",
        "cancel": f"is cancelled: {said(Counter(run.outcome for run in done.runs))}",
    }
    return f"{named} {words[what]}"
