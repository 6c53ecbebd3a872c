"""The acquisition of one name by its caller.

Over a connection that is lent to the caller, it is the one statement with which the library's thread would begin
too. If anything is in the way (another of this client has the turn, the name is held, the database is away), the
library's thread does all of it from the start.

The heartbeat goes on beside it, so that the order of steps matters here:

    an acquisition is a flight from before its statement is sent until what it was granted is held
    a grant is held before it is asked whether the heartbeat rests

`abandon` puts right what a caller had begun who was cut short.
"""

import asyncio
from contextlib import suppress
from functools import partial

from .. import events, statements
from ..core import Core, Ticket, closed_meanwhile, note_holder
from ..database.held.wire import NothingSentError, WireFailed
from ..errors import LeaseError
from ..grant_state import GrantState
from ..ledger import Caller
from ..model import Grant, check_free_name
from .steps import Direct, Elsewhere, Means, Sending, Steps


def begin(means: Means, ticket: Ticket, loop: asyncio.AbstractEventLoop | None = None) -> Caller:
    """Return what stands for a caller that begins to acquire."""
    return means.ledger.open(partial(abandon, means, ticket), loop)


def acquire(means: Means, ticket: Ticket, wait: float | None) -> Steps[GrantState]:
    """Acquire the name of ``ticket``; see `lease.core.Core.acquire_for`."""
    state = None if means.direct is None else (yield from _acquire_here(means, means.direct, ticket, wait))
    if state is None:
        patience = None if wait != 0 else 0.0
        state = yield Elsewhere(means.loop.submit(lambda: means.core.acquire_for(ticket, wait), patience))
    note_holder(state)
    return state


def _acquire_here(means: Means, direct: Direct, ticket: Ticket, wait: float | None) -> Steps[GrantState | None]:
    """Acquire a name that is free; None where the library's thread is to do it, in the turn of ``ticket`` if that has
    begun here.
    """
    core, loan, turn = means.core, direct.loan, ticket.turn
    if core.is_closed or check_free_name(turn.name) in direct.store.awaited:
        return None
    if not core.turns.take_now(turn):
        return None
    in_line = wait == 0 or not direct.store.queues_at_once
    wire = yield from loan.borrow(ticket, waits=in_line)  # first: a wait for one is no part of an attempt
    if wire is None:
        return None
    core.heartbeat.flights.begin(ticket.flight)
    sent = core.clock()
    try:
        granted = yield Sending(wire, statements.granting(turn.name, core.holder, core.timing.ttl, label=core.label))
        if granted is None:
            direct.store.awaited.add(turn.name)
        else:
            _take(means, ticket, granted, sent)
    except WireFailed as error:
        if not isinstance(error, NothingSentError):
            means.loop.soon(core.heartbeat.sweep)
    core.heartbeat.flights.end(ticket.flight)
    loan.give_back(ticket)
    if ticket.state is None and core.is_closed:
        raise closed_meanwhile(turn.name)
    return ticket.state


def _take(means: Means, ticket: Ticket, grant: Grant, sent: float) -> None:
    """Hold what was granted. `WireFailed` says that it comes too late."""
    core = means.core
    if core.clock() - sent >= core.timing.give_up:
        raise WireFailed
    state = ticket.state = core.heartbeat.state_of(grant, sent)  # first: only what it has here is its own to release
    core.heartbeat.held.add(state)
    if core.is_closed:  # which is to release it, and perhaps has not seen it
        core.heartbeat.held.remove(state)
        ticket.state = None
        raise WireFailed
    state.when_over(partial(core.turns.end, ticket.turn))
    if core.heartbeat.rests():
        means.loop.soon(partial(core.heartbeat.rouse, sent))
    means.notify(events.Granted(grant))


# In the library's event loop


async def abandon(means: Means, ticket: Ticket) -> None:
    """End an acquisition whose caller was cut short, and release what it had been granted."""
    if means.direct is not None:
        await _abandon_here(means.core, means.direct, ticket)
    await means.core.abandon(ticket)
    means.core.turns.end(ticket.turn)


async def _abandon_here(core: Core, direct: Direct, ticket: Ticket) -> None:
    """End what a caller did by itself."""
    was_sent = ticket.flight in core.heartbeat.flights
    if was_sent:
        core.heartbeat.sweep()  # first: a client that is being closed goes on once the loan has ended
    await direct.loan.take_back(ticket)
    if was_sent and ticket.state is None:
        with suppress(LeaseError):  # the heartbeat looks for it, too, and so does a closing
            await core.answered(lambda: _release_stray(core, ticket))
    core.heartbeat.end_flight(ticket.flight, sure=not was_sent)


async def _release_stray(core: Core, ticket: Ticket) -> None:
    """Release what was granted in an answer that did not arrive."""
    record = await core.store.read(ticket.turn.name)
    grant = None if record is None else record.grant
    is_ours = grant is not None and grant.holder == core.holder and not core.heartbeat.accounts_for(grant)
    if grant is not None and is_ours and core.turns.has(ticket.turn):  # else it has been put right, and is another's
        await core.store.release(grant)
