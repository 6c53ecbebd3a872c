"""The acquisition of one name: ask for it, wait for its holder, ask again; or be refused, with a sentence.

Over a connection that is lent to the caller, one statement asks for what is free, and one more takes a place in the queue
for what is not. The library's thread hears or looks whose turn it is, and asks where that takes more than a statement, or
no connection is to be had. Where a test moves the time, or the store is one in memory, it takes all steps.

The heartbeat goes on beside it, so that the order of steps matters here:

    an acquisition is a flight from before its statement is sent until what it was granted is held
    a grant is held before it is asked whether the heartbeat rests
    who waits can hear of its turn before it has a place in the queue

`abandon` puts right what a caller had begun who was cut short.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from typing import Any, TypeVar

from .. import events, statements
from ..cancellation import uncut
from ..core import Core, Ticket, closed_meanwhile, note_holder
from ..database.wires import NothingSentError, Wire, WireFailed
from ..durations import format_duration, next_wait
from ..errors import LeaseError, LeaseNotAcquired, StoreUnavailable
from ..grant_state import GrantState
from ..ledger import Caller
from ..model import CLOSED, DAEMON, Grant, LeaseRecord, check_name, is_mark, is_turn_of
from ..store import retried
from ..waiters import LOOK, ahead_of, turn_in
from .steps import Direct, Elsewhere, Means, OwnStep, RefusedWith, Sending, Steps, take_inside

T = TypeVar("T")

_SHORT = 0.005
"""Seconds until the first new attempt where a row was locked; each further wait is twice as long."""
_AFTER = 0.005
"""Seconds by which to look later than it may be one's turn, so that it is."""
_ITSELF = "this task or thread already holds it; leases are not reentrant"
_ANOTHER = "another task or thread of this client holds it, or waits for it"
_ADOPTED = "this client already holds it"


class _Other(Enum):
    """What an attempt comes to that no record of the database says."""

    HELD_HERE = auto()
    """A program has adopted it, or what a caller who was cut short has left is just ended."""
    NOT_KNOWN = auto()
    """The library's thread is to ask."""


Answer = GrantState | LeaseRecord | StoreUnavailable | _Other | None
"""What an attempt comes to: None where what is in the way is not known."""


def begin(means: Means, ticket: Ticket, loop: asyncio.AbstractEventLoop | None = None) -> Caller:
    """Return what stands for a caller that begins to acquire."""
    return means.ledger.open(partial(abandon, means, ticket), loop)


def acquire(means: Means, ticket: Ticket) -> Steps[GrantState | LeaseError]:
    """Acquire the name of ``ticket``; `LeaseNotAcquired` says who holds it."""
    acquired: GrantState | LeaseError
    if means.direct is None:
        inside = partial(acquire_inside, means.core, ticket)
        acquired = yield Elsewhere(means.loop.submit(inside, None if ticket.wait != 0 else 0.0))
    else:
        acquired = yield from _Acquisition(means.core, ticket, means).steps()
    if isinstance(acquired, GrantState):
        note_holder(acquired)
    return acquired


async def acquire_inside(core: Core, ticket: Ticket) -> GrantState | LeaseError:
    """Take all steps in the library's own event loop; return what it comes to, which may be a refusal."""
    return await core.work_for(ticket, lambda: take_inside(_Acquisition(core, ticket).steps()))


async def abandon(means: Means, ticket: Ticket) -> None:
    """End an acquisition whose caller was cut short, and release what it had been granted."""
    core, direct = means.core, means.direct
    if ticket.is_unanswered:
        core.heartbeat.sweep()  # first: a client that is being closed goes on once the loan has ended
    if direct is not None:
        await direct.pool.take_back(ticket)
    if ticket.is_unanswered and ticket.state is None:
        with suppress(LeaseError):  # the heartbeat looks for it, too, and so does a closing
            await core.answered(lambda: _release_stray(core, ticket))
    await core.abandon(ticket)


async def _release_stray(core: Core, ticket: Ticket) -> None:
    """Release what was granted in an answer that did not arrive."""
    stray = _stray(core, await core.store.read(ticket.turn.name))
    if stray is not None and core.turns.has(ticket.turn):  # else it has been put right
        await core.store.release(stray)


def _stray(core: Core, record: object) -> Grant | None:
    """Return the grant that the database has under this client, which knows nothing of it; None where it has none."""
    grant = record.grant if isinstance(record, LeaseRecord) else None
    return None if grant is None or grant.holder != core.holder or core.heartbeat.accounts_for(grant) else grant


class _Acquisition:
    """The steps of one acquisition; without ``means``, in the library's own event loop."""

    def __init__(self, core: Core, ticket: Ticket, means: Means | None = None) -> None:
        self._core = core
        self._ticket = ticket
        self._means = means
        self._name = check_name(ticket.turn.name, taken=DAEMON)
        self._deadline = None if ticket.wait is None else core.clock() + ticket.wait
        self._waited = ticket.wait or 0.0

    def steps(self) -> Steps[GrantState | LeaseError]:
        core, ticket = self._core, self._ticket
        if not core.begin(ticket):
            core.acquiring.discard(ticket)
            return LeaseError(CLOSED)
        answer: GrantState | LeaseError
        try:
            if not core.turns.take_now(ticket.turn):
                yield from self._wait_for_turn()
            core.heartbeat.flights.under_way.add(ticket.flight)
            answer = yield from self._ask_until_granted()
        except RefusedWith as refused:
            answer = refused.error
            if ticket.may_be_queued:
                with suppress(RefusedWith):  # by a client that is closed, which has ended it
                    yield self._step(partial(core.abandon, ticket))
        core.heartbeat.flights.under_way.discard(ticket.flight)
        ticket.hears_no_more()
        core.acquiring.discard(ticket)
        if isinstance(answer, LeaseError):
            core.turns.end(ticket.turn)
        return answer

    # The turn within the client

    def _wait_for_turn(self) -> Steps[None]:
        turns, turn, wait = self._core.turns, self._ticket.turn, self._ticket.wait
        if wait is None and self._would_wait_for_itself():
            raise RefusedWith(self._refused_within(_ITSELF))
        if wait == 0 or not (yield self._elsewhere(partial(turns.take, turn, wait))):
            is_its_own = turns.owner(turn.name) == turn.owner
            raise RefusedWith(self._refused_within(_ITSELF if is_its_own else _ANOTHER))

    def _would_wait_for_itself(self) -> bool:
        """Return whether the same task or thread has the turn, and is not about to end it: a release that was
        cancelled goes on.
        """
        turn, held = self._ticket.turn, self._core.heartbeat.held.named(self._name)
        return self._core.turns.owner(turn.name) == turn.owner and (held is None or not held.ending)

    # Asking, and waiting

    def _ask_until_granted(self) -> Steps[GrantState]:
        core, pause, is_told = self._core, 0.0, False
        queue = self._deadline is None or self._deadline > core.clock()
        while True:
            answer = yield from self._attempt(queue=queue)
            if isinstance(answer, GrantState):
                return answer
            left = LOOK if self._deadline is None else self._deadline - core.clock()
            if left <= 0:
                raise RefusedWith(self._refused(answer))
            is_away = isinstance(answer, StoreUnavailable)
            if is_away and not is_told:
                self._notify(events.Unanswered(self._name, str(answer)))
            is_told = is_away
            look = _next_look(answer, core.holder)
            if look is None:
                # The database is away, or a transaction has the row locked: nothing announces the end of either.
                pause = next_wait(pause, _SHORT, core.timing.retry_wait)
                yield self._elsewhere(partial(asyncio.sleep, min(left, core.timing.retry_wait if is_away else pause)))
            else:
                seconds, ahead = look
                yield self._elsewhere(partial(self._hear, min(left, seconds, LOOK), ahead))
                pause = 0.0

    def _attempt(self, *, queue: bool) -> Steps[Any]:
        if self._means is not None and self._means.direct is not None:
            answer: Answer = yield from self._ask_here(self._means, self._means.direct, queue=queue)
            if answer is not _Other.NOT_KNOWN:
                return answer
        if self._core.heartbeat.held.named(self._name) is not None:
            return _Other.HELD_HERE
        return (yield self._elsewhere(partial(self._ask, queue=queue)))

    def _will_hear(self) -> None:
        """Hear of the turn from now on, and have a place in the queue soon."""
        self._ticket.may_be_queued = True
        if self._ticket.turn_heard is None:
            self._ticket.turn_heard = self._core.store.waiting(self._name, self._core.holder)

    # Over a wire that is lent to the caller

    def _ask_here(self, means: Means, direct: Direct, *, queue: bool) -> Steps[Answer]:
        ticket = self._ticket
        waits = not queue or not direct.store.queues_at_once
        wire = yield from direct.pool.borrow(ticket, waits=waits)  # first: a wait for one is no part of an attempt
        if wire is None:
            return _Other.NOT_KNOWN
        try:
            answer: Answer = yield from self._ask_over(wire, means, direct, queue=queue)
        except WireFailed as error:
            answer = _Other.NOT_KNOWN
            if ticket.is_unanswered and not isinstance(error, NothingSentError):
                means.loop.soon(self._core.heartbeat.sweep)
            ticket.is_unanswered = False
        direct.pool.give_back(ticket)
        if ticket.state is None and self._core.is_closed:
            raise RefusedWith(closed_meanwhile(self._name))
        return answer

    def _ask_over(self, wire: Wire, means: Means, direct: Direct, *, queue: bool) -> Steps[Answer]:
        """Ask for it, unless it is known to be awaited; otherwise, or then, see who comes before."""
        core, name = self._core, self._name
        record: LeaseRecord | None = None
        is_asked = not direct.store.awaited.take(name)
        if is_asked and (state := (yield from self._ask_for_grant(wire, means))) is not None:
            return state
        if core.heartbeat.held.named(name) is not None:
            return _Other.HELD_HERE
        if not queue:
            record = (yield Sending(wire, statements.reading([name]))).get(name)
        elif not direct.store.queues_at_once:
            self._will_hear()
            queued = yield Sending(wire, direct.store.queueing(name, core.holder, core.label))
            record = queued.record if queued is not None and queued.keeps else None
        is_ours = _stray(core, record) is not None
        if record is not None and not is_ours and not is_turn_of(core.holder, record):
            return record
        if not is_ours and (record is not None or not is_asked):  # another who took a place had locked the row, say
            state = yield from self._ask_for_grant(wire, means)
            if state is not None:
                return state
        direct.store.awaited.add(name)  # it need not be asked for once more
        return _Other.NOT_KNOWN

    def _ask_for_grant(self, wire: Wire, means: Means) -> Steps[GrantState | None]:
        core, ticket = self._core, self._ticket
        granting = statements.granting(self._name, core.holder, core.timing.ttl, label=core.label)
        sent = core.clock()
        ticket.is_unanswered = True
        grant = yield Sending(wire, granting)
        if grant is None:
            ticket.is_unanswered = False
            return None
        if core.clock() - sent >= core.timing.give_up:  # it comes too late
            raise WireFailed
        # First: only what the ticket has is its own to release.
        state = ticket.state = core.heartbeat.state_of(grant, sent, partial(core.turns.end, ticket.turn))
        core.heartbeat.held.add(state)
        if core.is_closed:  # which is to release it, and perhaps has not seen it
            core.heartbeat.held.remove(state)
            ticket.state = None
            raise WireFailed
        ticket.may_be_queued = False
        if core.heartbeat.rests():
            means.loop.soon(partial(core.heartbeat.rouse, sent))
        means.notify(events.Granted(grant))
        ticket.is_unanswered = False
        return state

    # In the library's event loop

    def _elsewhere(self, work: Callable[[], Awaitable[Any]]) -> Elsewhere | OwnStep:
        """Do it, unless this is cut short before."""
        return self._step(partial(self._core.work_for, self._ticket, work) if self._means is not None else work)

    def _step(self, work: Callable[[], Any]) -> Elsewhere | OwnStep:
        return OwnStep(work) if self._means is None else Elsewhere(self._means.loop.submit(work))

    async def _ask(self, *, queue: bool) -> Answer:
        if queue:
            self._will_hear()
        try:
            return await retried(lambda: self._ask_once(queue=queue), self._core.timing)
        except StoreUnavailable as error:
            return error

    async def _ask_once(self, *, queue: bool) -> Answer:
        core, ticket = self._core, self._ticket
        async with core.store.admitted():  # first: neither the attempt's clock nor that of trust runs before it
            sent = core.clock()
            answer = await self._answered(
                core.store.grant(self._name, core.holder, core.label, core.timing.ttl, queue=queue)
            )
        match answer:
            case Grant() if core.clock() - sent < core.timing.give_up:
                ticket.state = core.heartbeat.adopt(answer, sent, partial(core.turns.end, ticket.turn))
                ticket.may_be_queued = False
                return ticket.state
            case Grant():
                core.heartbeat.sweep()
                await core.store.release(answer)
                return None
            case LeaseRecord() if (earlier := _stray(core, answer)) is not None:
                # The reply to an earlier attempt was lost, and with it that grant.
                await core.store.release(earlier)
                return await self._ask_once(queue=queue)
            case _:
                return answer

    async def _answered(self, granting: Coroutine[Any, Any, Grant | LeaseRecord | None]) -> Grant | LeaseRecord | None:
        """Wait for the answer, also when cancelled: a statement that nobody waits for could still grant the lease, or
        take a place, after all has been given up here. Where no answer comes, it may have been granted all the same.
        """
        asked = asyncio.ensure_future(granting)
        try:
            return await uncut(asked)
        except (StoreUnavailable, asyncio.CancelledError):
            self._core.heartbeat.sweep()
            if isinstance(granted := _result(asked), Grant):
                with suppress(StoreUnavailable):
                    await uncut(asyncio.ensure_future(self._core.store.release(granted)))
            raise

    async def _hear(self, seconds: float, ahead: int) -> None:
        """Wait until it may be its turn, at most ``seconds``."""
        if self._ticket.turn_heard is not None:
            with suppress(StoreUnavailable):  # the next attempt finds out for how long
                await self._ticket.turn_heard(seconds, ahead)

    # The refusal

    def _notify(self, event: events.Event) -> None:
        (self._core if self._means is None else self._means).notify(event)

    def _refused(self, answer: LeaseRecord | StoreUnavailable | _Other | None) -> LeaseError:
        if isinstance(answer, StoreUnavailable):
            return answer
        if isinstance(answer, _Other):
            return self._refused_within(_ADOPTED)
        self._notify(events.Refused(self._name, answer))
        return refusal(self._name, answer, self._core.holder, waited=self._waited)

    def _refused_within(self, why: str) -> LeaseNotAcquired:
        """Return the error for a task or thread that was refused it within its own client."""
        held = self._core.heartbeat.held.named(self._name)
        return LeaseNotAcquired(
            f"lease {self._name!r} could not be acquired{_after(self._waited)}: {why}",
            name=self._name,
            holder=self._core.holder,
            label=self._core.label,
            token=None if held is None else held.grant.token,
            waited=self._waited,
        )


def _result(task: "asyncio.Future[T]") -> T | None:
    return None if task.cancelled() or task.exception() is not None else task.result()


def _next_look(answer: object, holder: str) -> tuple[float, int] | None:
    """Return in how many seconds it may be the turn of ``holder``, and how many come before; None when it should be now,
    but is not.
    """
    if not isinstance(answer, LeaseRecord) or answer.free_for is None:
        return None
    ahead = ahead_of(holder, answer.waiting)
    seconds = turn_in(ahead, answer.free_for)
    return (seconds + _AFTER, ahead) if seconds > 0 else None


def refusal(name: str, record: LeaseRecord | None, holder: str, *, waited: float) -> LeaseNotAcquired:
    """Return the error for ``holder``, which was refused ``name`` because of what the database has
    (None: not known) after it had waited so many seconds.
    """
    after = _after(waited)
    if record is not None and record.holder is not None:
        held = "" if record.held_for is None else f" for {format_duration(record.held_for)}"
        broken = record.broken if is_mark(record.holder) else None
        holder_now = record.holder if broken is None else broken.holder
        who = f"{record.label or holder_now} (holder {holder_now}, token {record.token})"
        sentence = f"lease {name!r} is held by {who}{held}{after}"
        if broken is not None:
            sentence = (
                f"lease {name!r} was broken by {broken.by} because {broken.reason}; "
                f"the work of {who} may continue until it is notified or its ttl ends{after}"
            )
        return LeaseNotAcquired(
            sentence,
            name=name,
            holder=holder_now,
            label=record.label,
            token=record.token,
            held_for=record.held_for,
            waited=waited,
        )
    before = () if record is None else record.waiting[: ahead_of(holder, record.waiting)]
    if before:
        first = before[0]
        return LeaseNotAcquired(
            f"lease {name!r} is free, but {first.label or first.holder} is ahead in the queue{after}",
            name=name,
            holder=first.holder,
            label=first.label,
            waited=waited,
        )
    message = f"lease {name!r} could not be acquired{after}: it was busy every time"
    return LeaseNotAcquired(message, name=name, waited=waited)


def _after(waited: float) -> str:
    return f" (waited {format_duration(waited)})" if waited else ""
