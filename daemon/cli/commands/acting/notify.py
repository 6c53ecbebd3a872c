"""`leased notify`: who is notified, what waits, and a trial message."""

import asyncio
import json
import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ....answers.notify import NotifyTestAnswer, Tried, notify_answer, targets_to_try
from ....delivery.message import Message
from ....delivery.sending import Sender
from ....store import statements
from ....store.statements.schedule import database_time
from ....text import ago, target_text
from ...ask import ask
from ...failures import FAILED
from ...options import Application, Database, Json
from ...screen import Sheet, say, screen, write_json


def notify(
    test: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Send a trial message to the targets of this schedule, from this machine."),
    ] = None,
    application: Application = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show who is notified: what waits, what was delivered, and the last error of each target."""
    if test is not None:
        _try(test, application, database, as_json=as_json)
        return
    now, found = ask(database, lambda c: (database_time(c), notify_answer(c, application)))
    if as_json:
        write_json("notify", found)
        return
    if not found.items:
        say(screen(), "No schedule has `notify` or `ping`, and no message was sent in the last week.")
        return
    shown = Sheet("target", "waiting", "delivered", "last", "lost", "error", right=("waiting", "delivered", "lost"))
    for one in found.items:
        last = "" if one.delivered_at is None else ago((now - one.delivered_at).total_seconds())
        error = "it is gone, and gets no more" if one.gone else one.last_error or ""
        shown.add(one.target, one.waiting, one.delivered, last, one.lost, error)
    screen().print(shown)


def _try(name: str, application: str | None, database: str | None, *, as_json: bool) -> None:
    of, addresses = ask(database, lambda connection: targets_to_try(connection, name, application))
    message = Message(0, "test", of, name, None, datetime.now(UTC), f"this is a trial message about {name}")
    tried = []
    for address in addresses:
        reply = asyncio.run(Sender(os.environ, Path.cwd()).send(json.loads(address), message))
        if reply.delivered:
            ask(database, partial(statements.delivery.resume, application=of, target=address), write=True)
        tried.append(Tried(target_text(address), reply.delivered, reply.text))
    if as_json:
        write_json("notify-test", NotifyTestAnswer(of, name, tried))
    else:
        for one in tried:
            say(screen(), f"{one.target}: {'delivered' if one.delivered else 'failed'} ({one.text})")
    if not all(one.delivered for one in tried):
        raise typer.Exit(FAILED)
