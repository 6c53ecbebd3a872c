"""`leased notify`: who is notified, what waits, and a trial message."""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from ....answers.notify import NotifyTestAnswer, Tried, notify_answer, targets_to_try
from ....delivery.message import Message
from ....delivery.sending import Sender
from ....store import statements
from ....store.statements.schedule import database_time
from ....text import ago, target_text
from ...ask import ask
from ...options import Application, Database, Json
from ...screen import Sheet, say, screen, write_json

_FAILED = 1


def notify(
    test: Annotated[
        str | None,
        typer.Option(
            "--test", metavar="NAME", help="Send a trial message to the targets of this schedule, from this machine."
        ),
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
    def read(connection: Connection) -> tuple[str, list[str]]:
        return targets_to_try(connection, name, application)

    of, addresses = ask(database, read)
    message = Message(0, "test", of, name, None, datetime.now(UTC), f"this is a trial message about {name}")
    tried = [_tried(address, message, of, database) for address in addresses]
    if as_json:
        write_json("notify-test", NotifyTestAnswer(of, name, tried))
    else:
        for one in tried:
            say(screen(), f"{one.target}: {'delivered' if one.delivered else 'failed'} ({one.text})")
    if not all(one.delivered for one in tried):
        raise typer.Exit(_FAILED)


def _tried(address: str, message: Message, application: str, database: str | None) -> Tried:
    reply = asyncio.run(Sender(os.environ, Path.cwd()).send(json.loads(address), message))
    if reply.delivered:

        def resume(connection: Connection) -> None:
            statements.delivery.resume(connection, application, address)

        ask(database, resume, write=True)
    return Tried(target_text(address), reply.delivered, reply.text)
