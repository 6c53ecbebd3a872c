"""`leased pause`, `resume` and `cancel --backfill`: what is done to a backfill as a whole."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Protocol

import typer
from sqlalchemy import Connection

from ....operations.backfill import ChangedBackfill, cancel_backfill, pause_backfill, resume_backfill
from ....operations.many.cancel import said
from ...answers import write_json
from ...ask import ask
from ...failures import Misused
from ...options import MOST
from ...screen import say, screen


def backfill_number(text: str) -> int:
    """Return the number of a backfill; raises `Misused` for anything else."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
        raise Misused(f'"{text}" is not the number of a backfill; `leased backfills` lists them')
    return int(text)


OfBackfill = Annotated[
    int | None,
    typer.Option(
        "--backfill", metavar="ID", parser=backfill_number, help="All runs of this backfill.", show_default=False
    ),
]


class _Act(Protocol):
    def __call__(
        self, connection: Connection, backfill_id: int, *, requested_by: str, why: str | None = None
    ) -> ChangedBackfill: ...


_ACTS: Mapping[str, _Act] = {"pause": pause_backfill, "resume": resume_backfill, "cancel": cancel_backfill}


def act_on_backfill(
    what: str,
    backfill_id: int,
    beside: Mapping[str, object],
    *,
    database: str | None,
    who: str,
    why: str | None,
    as_json: bool,
) -> None:
    """Pause, resume or cancel a backfill; raises `Misused` for other options that select runs."""
    for option, value in beside.items():
        if value:
            raise Misused(f"{option} cannot be combined with --backfill: leave it out")
    act = _ACTS[what]
    done = ask(database, lambda connection: act(connection, backfill_id, requested_by=who, why=why), write=True)
    if as_json:
        write_json("backfill-changed", done)
        return
    say(screen(), f"backfill {done.backfill_id} of {done.schedule} ({done.application}) {_words(what, done)}", hang=2)


def _words(what: str, done: ChangedBackfill) -> str:
    if done.already:
        before = {"pause": "was already paused", "resume": "is not paused", "cancel": "was already cancelled"}
        return f"{before[what]}; nothing changed"
    words = {
        "pause": "is paused: runs that have been enqueued continue, and no other starts until you resume it",
        "resume": "is resumed: its runs start again, after all others",
        "cancel": f"is cancelled: {said(Counter(run.outcome for run in done.runs))}",
    }
    return words[what]
