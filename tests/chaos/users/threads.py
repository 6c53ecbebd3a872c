"""A user of the sync client: threads that share one client, or its main thread, where an interrupt strikes wherever that is."""

import os
import threading
import time
from collections.abc import Callable
from random import Random

from sqlalchemy import Engine

import lease.sync
from lease import LeaseError

from .journal import URL, Journal
from .mishaps import fork, look_for_remains, raise_when_lost
from .plans import AT_ONCE, Plan, draw
from .visits import Visit

_ORDERLY = 3.0
"""Seconds for which it lets its threads come to their ends, where it does not close in their midst."""


class Hung(Exception):
    """A call of the library did not return."""


def use(  # noqa: PLR0917 - what a session needs
    client: lease.sync.LeaseClient, number: int, journal: Journal, engine: Engine, chance: Random, end: threading.Event
) -> None:
    """Use one client for a while, and close it, often in the midst of what its threads do."""
    stop = threading.Event()
    threads = [
        threading.Thread(
            target=_work, args=(client, number, journal, engine, Random(chance.random()), stop), daemon=True
        )
        for _ in range(AT_ONCE)
    ]
    with client:
        for thread in threads:
            thread.start()
        end.wait(chance.uniform(0.5, 4.0))
        if chance.random() < 0.5:
            stop.set()
            _join(threads, _ORDERLY)
        journal.note("closing", client=number)
    journal.note("closed", client=number)
    stop.set()
    if _join(threads, 15.0):
        raise Hung


def _join(threads: list[threading.Thread], seconds: float) -> list[threading.Thread]:
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in threads if thread.is_alive()]


def _work(  # noqa: PLR0917 - what a session needs
    client: lease.sync.LeaseClient, number: int, journal: Journal, engine: Engine, chance: Random, stop: threading.Event
) -> None:
    while not stop.is_set():
        plan = draw(chance)
        if plan.breaks:
            _break(client, plan, journal)
        make_visit(client, plan, Visit(journal, plan, number), engine)
        if plan.forks:
            fork(client, os.environ[URL], client.timing, journal)
        stop.wait(plan.rests)


def make_visit(client: lease.sync.LeaseClient, plan: Plan, visit: Visit, engine: Engine) -> None:
    """Hold a lock and write under it, as planned."""
    with visit.told(), client.hold(plan.name, wait=plan.wait) as held:
        visit.granted(held)
        if plan.raises:
            held.on_lost(raise_when_lost)
        held.lost.wait(plan.works)
        visit.write(engine, held)
        visit.leaving()
    visit.haunt(engine)


def _break(client: lease.sync.LeaseClient, plan: Plan, journal: Journal) -> None:
    try:
        made = client.break_lease(plan.name, "the campaign wants it", by=journal.user)
    except LeaseError as error:
        journal.note("not broken", name=plan.name, why=str(error))
    else:
        journal.note("broke", name=plan.name, token=made.token, holder=made.holder)


def use_in_main(  # noqa: PLR0917 - what a session needs
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
