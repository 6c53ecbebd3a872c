"""A user of the sync client in its main thread: an interrupt strikes wherever that is."""

import threading
import time
from collections.abc import Callable
from random import Random

from sqlalchemy import Engine

import lease.sync

from .journal import Journal
from .mishaps import look_for_remains
from .plans import draw
from .threads import make_visit
from .visits import Visit


def use(  # noqa: PLR0917 - what a session needs
    client: lease.sync.LeaseClient, number: int, journal: Journal, engine: Engine, chance: Random, end: threading.Event
) -> None:
    """Use one client for a while, and close it, which an interrupt must not prevent."""
    until = time.monotonic() + chance.uniform(2.0, 6.0)
    try:
        client.__enter__()
        while not end.is_set() and time.monotonic() < until:
            try:
                plan = draw(chance)
                make_visit(client, plan, Visit(journal, plan, number), engine)
                end.wait(plan.rests)
            except KeyboardInterrupt:
                journal.note("interrupted", client=number)
                _until_done(lambda: look_for_remains(client, client.timing.ttl, journal))
    finally:
        journal.note("closing", client=number)
        _until_done(lambda: client.__exit__(None, None, None))
        journal.note("closed", client=number)


def _until_done(act: Callable[[], None]) -> None:
    """Do it, again after each interrupt: one that comes while a program cleans up makes it clean up once more."""
    while True:
        try:
            return act()
        except KeyboardInterrupt:
            continue
