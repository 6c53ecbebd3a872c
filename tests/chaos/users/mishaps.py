"""What befalls the code of a user itself: its callbacks raise, it forks with its client open, it is interrupted."""

import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from random import Random

import lease
import lease.sync
from lease import LeaseError, LeaseTiming, StoreUnavailable
from lease.database import file_connection
from lease.events import Event, Listener, log_event
from lease.model import Loss

from .journal import Journal

WHY = "a mishap of the campaign"
RAISED = (SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, RuntimeError)
"""What a callback may raise: tests that fail and green threads that are killed raise such things too."""
BURST = 200
"""The acquisitions of a burst: many more than a client has connections."""
LONGEST_FORK = 20.0
"""Seconds in which a forked child must have ended."""
_FINE, _INHERITED_ANSWERS, _OPENED, _RAISED = 0, 10, 11, 12
_SAID = {
    _INHERITED_ANSWERS: "the client that it had inherited answered",
    _OPENED: "it could open an SQLite file that was open when it was forked",
    _RAISED: "its own client raised something else than an error of leases",
}


def quiet_about_mishaps() -> None:
    """Let the library's log leave out what these mishaps raise; all else that it logs as an error is a problem.

    And that of asyncio leave out which task the second of two interrupts ended: nobody waits for that any more. And Python
    which interrupt it could not raise, as it came in a callback of the garbage collection.
    """
    logging.getLogger("lease").addFilter(lambda record: not (record.exc_info and WHY in str(record.exc_info[1])))
    logging.getLogger("asyncio").addFilter(
        lambda record: not (record.exc_info and isinstance(record.exc_info[1], KeyboardInterrupt))
    )
    sys.unraisablehook = _tell_but_of_interrupts


def _tell_but_of_interrupts(unraised: "sys.UnraisableHookArgs") -> None:
    if not isinstance(unraised.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraised)


def raising(chance: Random) -> Listener:
    """Return a listener of events that raises something at times."""

    def listen(event: Event) -> None:
        log_event(event)
        if chance.random() < 0.02:
            raise chance.choice(RAISED)(WHY)

    return listen


def raise_when_lost(_: Loss) -> None:
    """A callback of a loss: raise what the library must not take for an end of its own."""
    raise asyncio.CancelledError(WHY)


def fork(client: lease.sync.LeaseClient, url: str, timing: LeaseTiming, journal: Journal) -> None:
    """Fork, with the client open: the child must not act by it, and open no SQLite file; elsewhere it has its own."""
    was_open = len(file_connection._open) > 0  # a client whose file was moved or locked may have none for a moment
    pid = os.fork()
    if pid == 0:
        status = _RAISED
        try:
            signal.alarm(int(LONGEST_FORK / 2))
            status = _in_child(client, url, timing, was_open=was_open)
        finally:
            os._exit(status)
    journal.note("forked", pid=pid)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != _FINE:
        journal.note("wrong", why=f"a forked child ended with {status}: {_SAID.get(status, 'it was stuck')}")


def _in_child(client: lease.sync.LeaseClient, url: str, timing: LeaseTiming, *, was_open: bool) -> int:
    try:
        client.read("users/door")
    except StoreUnavailable:
        return _INHERITED_ANSWERS
    except LeaseError:
        pass
    else:
        return _INHERITED_ANSWERS
    try:
        with lease.sync.LeaseClient(url, timing=timing) as own, own.hold(f"users/child/{os.getpid()}"):
            return _OPENED if was_open else _FINE
    except LeaseError:
        return _FINE


async def burst(client: lease.LeaseClient, journal: Journal) -> None:
    """Acquire many leases at once."""
    journal.note("burst")
    names = [f"users/burst/{journal.user}/{number}" for number in range(BURST)]
    answers = await asyncio.gather(*map(client.acquire, names), return_exceptions=True)
    held = [answer for answer in answers if isinstance(answer, lease.Lease)]
    failed = [answer for answer in answers if not isinstance(answer, lease.Lease)]
    journal.note("burst over", held=len(held), why=str(failed[0]) if failed else "")
    for one in held:
        with suppress(LeaseError):
            await one.release()


def look_for_remains(client: lease.sync.LeaseClient, ttl: float, journal: Journal) -> None:
    """See that nothing is held, within a ttl, by a client whose only user was interrupted."""
    until = time.monotonic() + ttl + 2.0
    with suppress(LeaseError):
        while left := [one.name for one in client.list() if one.holder == client.holder]:
            if time.monotonic() > until:
                journal.note("wrong", why=f"an interrupt left {', '.join(left)} held")
                return
            time.sleep(0.2)
