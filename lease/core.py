"""The core of a client, in the library's own event loop: what is under way, release, closing. The async and the
sync client are two doors to it.

Who ends a grant, and where:

    its holder, in its own thread                         `calls.releasing`
    its holder, where something is in the way             `Core.release`
    a program, in a transaction of its own                `Handle.ending`, with `statements.release`
    nobody, as its caller was cut short                   `Core.abandon`, `calls.releasing` (`ledger` says what it had begun)
    nobody, as its answer was lost, or came too late      `calls.acquiring`; `heartbeat.orphan_release`
    nobody, as it was lost, and its work has ended        `Core.ended`; `heartbeat.orphan_release`
    the closing of the client                             `Closing`
    another client, by a break, or once it is stale       `Core.break_lease`; `statements.grant`
"""

import asyncio
import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from itertools import filterfalse
from operator import attrgetter
from typing import Any, TypeVar, cast

from . import events
from .cancellation import uncut
from .clock import Clock
from .durations import Duration, parse_duration
from .errors import LeaseError, SchemaMissing, StoreUnavailable
from .grant_state import GrantState
from .heartbeat.heartbeat import Flight, Heartbeat
from .model import CLOSED, DAEMON, Break, Grant, LeaseRecord, LossKind, check_line, check_name, is_mark
from .store import Store, Wait, retried
from .threads import caller
from .timing import LeaseTiming
from .turns import LocalTurn, Turns

T = TypeVar("T")

_AT_ONCE = 50
"""How many acquisitions are cancelled before all else in the loop has had its turn again."""


_LOCKED = 0.1
"""Seconds until a client that closes in doubt looks a second time: the first passes over rows that are locked."""
_RELEASED_AT_ONCE = 4
"""How many releases are under way at one time."""
_MOST_BESIDES = 10_000
_WORKING = "the client was closed, and its work may still be running; the lease ends with its ttl"
_AWAY = "the client was closed, and the database did not confirm the release in time"

_LONGEST = 1_000
"""Characters of the reason of a break, or of who gives it."""
_TURNS = 3
"""How often a lease may change hands while it is being broken."""

_held_here: ContextVar[tuple[GrantState, ...]] = ContextVar("lease_held_here", default=())


def note_holder(state: GrantState) -> None:
    """Record that it was acquired here, in this thread or task, for work that is done here."""
    held = _held_here.get()
    if len(held) & (len(held) - 1) == 0:  # only then, so that a thousand leases cost a thousand looks
        held = tuple(filterfalse(attrgetter("over"), held))
    _held_here.set((*held, state))


def held_here() -> frozenset[GrantState]:
    """Return what was acquired here, or in the tasks that this one was started by. Its work waits for
    a closing that is asked for here, and could not end before.
    """
    return frozenset(_held_here.get())


class Closing:
    """The end of all that one client holds."""

    def __init__(
        self, heartbeat: Heartbeat, store: Store, holder: str, timing: LeaseTiming, notify: events.Listener
    ) -> None:
        self._holder = holder
        self._heartbeat = heartbeat
        self._store = store
        self._timing = timing
        self._notify = notify
        self._working: set[GrantState] = set()
        self._awaited: set[GrantState] = set()
        self._excused: set[GrantState] = set()
        self._quiet = asyncio.Event()

    def ended(self, state: GrantState) -> None:
        """Record that the work under it has ended: its block was left, or its holder released it."""
        self._working.discard(state)
        self._awaited.discard(state)
        if not self._awaited:
            self._quiet.set()

    def excuse(self, waiting: Iterable[GrantState]) -> None:
        """Wait for none of the work under these: it waits for this. A release that is under way does not."""
        self._excused.update(waiting)
        self._awaited = {state for state in self._awaited if state.ending or state not in self._excused}
        if not self._awaited:
            self._quiet.set()

    async def run(self) -> None:
        """Lose all that is held, wait at most `kill_time` for the work, and release what has ended.

        What is not known to have ended is left to its ttl.
        """
        held = self._heartbeat.held.all()
        self._working, self._awaited = set(held), set(held)
        self._quiet.clear()
        in_doubt = self._heartbeat.in_doubt
        self._heartbeat.lose_all()
        self.excuse(())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timing.kill_time):
                await self._quiet.wait()
        self._heartbeat.lose_all(also_ending=True)
        for state in self._working:
            self._notify(events.ReleaseFailed(state.grant, _WORKING))
        ended = [state.grant for state in held if state not in self._working and not state.over]
        await self._release(ended, in_doubt=in_doubt)

    async def _release(self, ended: Iterable[Grant], *, in_doubt: bool) -> None:
        """Release these, and what nobody was told of, for as long as trust could have lasted."""
        left = set(ended)
        error = _AWAY
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timing.give_up):
                    for pause in (0.0, _LOCKED) if in_doubt else (0.0,) if left else ():
                        await asyncio.sleep(pause)
                        await self._release_together(left)
                    await self._release_each(left)
        except (StoreUnavailable, SchemaMissing) as failed:
            error = str(failed)
        finally:  # also where closing is cut short
            for grant in sorted(left):
                self._notify(events.ReleaseFailed(grant, error))

    async def _release_together(self, left: set[Grant]) -> None:
        """Release all that is not locked, besides that under which work may still go on."""
        working = [state.grant for state in self._working]
        besides = {grant.name for grant in (*working, *self._heartbeat.quarantined.grants) if grant not in left}
        if len(besides) > _MOST_BESIDES:
            return  # a statement has no room for more
        while ended := await retried(lambda: self._store.release_all(self._holder, besides), self._timing):
            for grant in ended:
                self._notify(events.Released(grant, True) if grant in left else events.OrphanReleased(grant))
                left.discard(grant)

    async def _release_each(self, left: set[Grant]) -> None:
        """Release one by one what a transaction has locked, or was released before its reply was lost."""
        places = asyncio.Semaphore(_RELEASED_AT_ONCE)

        async def release(grant: Grant) -> None:
            async with places:
                try:
                    released = await retried(lambda: self._store.release(grant), self._timing)
                except (StoreUnavailable, SchemaMissing) as error:
                    self._notify(events.ReleaseFailed(grant, str(error)))
                else:
                    self._notify(events.Released(grant, released))
                left.discard(grant)

        async with asyncio.TaskGroup() as tasks:
            for grant in sorted(left):
                tasks.create_task(release(grant))


class Ticket:
    """One acquisition, and what has come of it so far, kept so that one whose caller has gone can be abandoned. It waits
    at most ``wait``, or without limit if that is None.
    """

    def __init__(self, name: str, wait: Duration | None = 0) -> None:
        self.wait = None if wait is None else parse_duration(wait)
        self.turn = LocalTurn(name, caller())
        self.flight = Flight(name)
        self.owner = self.turn.owner
        self.state: GrantState | None = None
        self.turn_heard: Wait | None = None
        self.may_be_queued = False
        self.is_unanswered = False
        """A statement was sent that may grant it, and nobody has its answer."""
        self.work: asyncio.Task[Any] | None = None
        """What the library's thread does for it just now."""
        self.leaving: asyncio.Future[None] | None = None
        """The end of its place in the queue; the turn goes on until then, as the next one may take that place."""
        self.is_cut = False

    def is_overdue(self) -> None:
        """Do nothing: who is cut off asks again (see `calls.steps.Borrower`)."""

    def hears_no_more(self) -> None:
        """End its wait, from any thread."""
        heard, self.turn_heard = self.turn_heard, None
        if heard is not None:
            heard.close()


def closed_meanwhile(name: str) -> LeaseError:
    """Return the error for an acquisition that was under way when its client was closed."""
    return LeaseError(f"this client was closed while it acquired lease {name!r}")


class Core:
    """One incarnation of one client: its holder id is random for each start, since names come back
    and owners must not merge.
    """

    def __init__(
        self,
        store: Store,
        timing: LeaseTiming,
        *,
        clock: Clock,
        listener: events.Listener,
        label: str | None = None,
        holder: str | None = None,
        before_closing: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self.holder = holder or uuid.uuid4().hex
        self.label = label or f"{socket.gethostname()}:{os.getpid()}"
        self.timing = timing
        self.store = store
        self.clock = clock
        self.turns = Turns()
        self._before_closing = before_closing
        self.notify = events.guarded(listener)
        self.heartbeat = Heartbeat(store, timing, self.holder, clock, self.notify)
        self._beating: asyncio.Task[None] | None = None
        self.acquiring: set[Ticket] = set()
        """All acquisitions under way. Any thread may add one, and then looks whether this is closed."""
        self._asking: set[asyncio.Task[Any]] = set()
        self._closing = Closing(self.heartbeat, store, self.holder, timing, self.notify)
        self._closed: asyncio.Task[None] | None = None
        self.is_closed = False
        """Whether it is closed, or being closed."""

    async def start(self) -> None:
        self._beating = asyncio.get_running_loop().create_task(self.heartbeat.run())
        self._beating.add_done_callback(self._has_stopped_beating)

    def _has_stopped_beating(self, beating: "asyncio.Task[None]") -> None:
        error = asyncio.CancelledError("its task was cancelled") if beating.cancelled() else beating.exception()
        if not self.is_closed:  # nobody has asked it to
            self.fail(error)
            self._begin_closing()

    def fail(self, error: BaseException | None) -> None:
        """Lose all that is held, and say so: nobody renews it any more because of ``error``."""
        cause = f"the heartbeat of this client has ended: {type(error).__name__}: {error}"
        self.notify(events.HeartbeatFailed(f"{cause}; all its leases are lost, and it is closed"))
        self.heartbeat.lose_all(cause, also_ending=True)

    async def close(self, waiting: Collection[GrantState] = ()) -> None:
        """End acquisitions, lose what is held, wait for its work, release it, then stop the heartbeat:
        nothing outlives it (rules 6 and 19). The work under ``waiting`` waits for this.

        Whoever closes it a second time waits for the first.
        """
        self._closing.excuse(waiting)
        await asyncio.shield(self._closed or self._begin_closing())

    def _begin_closing(self) -> "asyncio.Task[None]":
        self.is_closed = True
        self._closed = asyncio.get_running_loop().create_task(self._close())
        return self._closed

    async def _close(self) -> None:
        try:
            if self._before_closing is not None and not await self._before_closing():
                self.heartbeat.sweep()
            await self._end_acquisitions()
            await self._closing.run()
        finally:
            await self._end_questions()
            if self._beating is not None:
                self._beating.cancel()
                await asyncio.wait({self._beating})
            await self.store.close()

    async def _end_acquisitions(self) -> None:
        ending = set()
        for number, ticket in enumerate(list(self.acquiring)):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # the heartbeat goes on until all of it is done
            ending.add(asyncio.create_task(self._cut(ticket)))
        if ending:
            await asyncio.wait(ending)

    async def _end_questions(self) -> None:
        """Wait as long as an attempt may take for what was asked before, then cut it off."""
        if self._asking:
            _, late = await asyncio.wait(set(self._asking), timeout=self.timing.attempt_timeout)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def begin(self, ticket: Ticket) -> bool:
        """Record that an acquisition is under way, from any thread; return False where this is closed."""
        self.acquiring.add(ticket)  # first: who closes it sees that, or this sees that it is closed
        return not self.is_closed and not ticket.is_cut

    async def work_for(self, ticket: Ticket, work: Callable[[], Awaitable[T]]) -> T:
        """Do what the caller of an acquisition, who may be gone by now, does not do itself (see `abandon`)."""
        if self.is_closed or ticket.is_cut:
            raise closed_meanwhile(ticket.turn.name) if ticket in self.acquiring else LeaseError(CLOSED)
        ticket.work = asyncio.current_task()
        try:
            return await work()
        except asyncio.CancelledError:
            if self.is_closed:
                raise closed_meanwhile(ticket.turn.name) from None
            raise
        finally:
            ticket.work = None

    async def abandon(self, ticket: Ticket) -> None:
        """End an acquisition whose caller was cut short, or was refused, and release what it had been granted."""
        await self._cut(ticket)
        if ticket.state is not None and not ticket.state.ending:  # else its release is in the ledger itself
            await self._release_for_nobody(ticket.state)
        self.heartbeat.end_flight(ticket.flight, sure=not ticket.is_unanswered)
        self.turns.end(ticket.turn)
        self.acquiring.discard(ticket)

    async def _cut(self, ticket: Ticket) -> None:
        """End what is done for it, and its place in the queue."""
        ticket.is_cut = True  # it may still be on its way here
        if ticket.work is not None and ticket.work is not asyncio.current_task():
            ticket.work.cancel()
            await asyncio.wait({ticket.work})
        ticket.hears_no_more()
        if ticket.may_be_queued and self.turns.has(ticket.turn):  # else another of this client may have it
            ticket.may_be_queued = False
            ticket.leaving = asyncio.ensure_future(self.store.leave(ticket.turn.name, self.holder))
        if ticket.leaving is not None:
            with suppress(LeaseError):  # its turn ends all the same: the tables may be missing, too
                await uncut(ticket.leaving)  # a cancelled client cancels twice: not in the midst of this

    async def release(self, state: GrantState) -> bool:
        """End the grant; False when it had ended before. If the database is away it ends at the latest after the ttl."""
        if state.over or state.loss is not None:
            self._leave(state)
            return False
        with state.being_ended():
            try:
                found = await retried(lambda: self.store.release(state.grant), self.timing)
            except (StoreUnavailable, asyncio.CancelledError):
                self.heartbeat.sweep()
                raise
            finally:
                self.forget(state)
        if not found:
            self.heartbeat.leave(state.grant)
        self.notify(events.Released(state.grant, found))
        return found

    async def _release_for_nobody(self, state: GrantState) -> None:
        """End the grant of a caller who has gone, and whom no error reaches: that it failed becomes an event."""
        try:
            await self.release(state)
        except (StoreUnavailable, SchemaMissing) as error:
            self.notify(events.ReleaseFailed(state.grant, str(error)))

    async def ended(self, state: GrantState, *, released: bool) -> None:
        """Take note that the holder's own thread has released it, or found it ended."""
        self._closing.ended(state)
        if state.loss is not None:
            self._leave(state)
        elif not released:
            self.heartbeat.leave(state.grant)

    def forget(self, state: GrantState) -> None:
        """Renew this grant no longer; its holder has released it."""
        self.heartbeat.forget(state)
        self._closing.ended(state)

    def _leave(self, state: GrantState) -> None:
        """Take note that the work under this lost grant has ended."""
        if state.loss is not None and state.loss.kind is LossKind.CLOSED:
            self._closing.ended(state)  # which releases it
        else:
            self.heartbeat.leave(state.grant)

    async def break_lease(self, name: str, reason: str, by: str | None) -> Break:
        """Break the grant in force under ``name``, whoever holds it; a break that is there already stays as it is.

        `LeaseError` says that there is nothing to break, that the lease is this client's own or the
        daemon's, or that an open transaction is fenced with it.
        """
        return await self.answered(lambda: self._break(name, reason, self.label if by is None else by))

    async def _break(self, name: str, reason: str, by: str) -> Break:
        if check_name(name).startswith(DAEMON):
            raise LeaseError(f"lease {name!r} belongs to the daemon and cannot be broken: cancel the run instead")
        check_line("reason of a break", reason, _LONGEST)
        check_line("name of who breaks a lease", by, _LONGEST)
        for _ in range(_TURNS):
            found = self._breakable(name, await retried(lambda: self.store.read(name), self.timing))
            if isinstance(found, Break):
                return found
            made = await retried(partial(self.store.break_grant, found, by, reason), self.timing)
            if made is not None:
                return made
        raise LeaseError(f"lease {name!r} has changed hands {_TURNS} times while it was being broken; try again")

    def _breakable(self, name: str, record: LeaseRecord | None) -> Grant | Break:
        if record is None or record.grant is None:
            raise LeaseError(f"lease {name!r} is free: there is nothing to break")
        if record.broken is not None and is_mark(record.grant.holder):
            return record.broken
        if record.holder == self.holder:
            raise LeaseError(f"lease {name!r} is held by this client itself: release it instead")
        return record.grant

    async def read(self, name: str) -> LeaseRecord | None:
        check_name(name)
        return await self.answered(lambda: retried(lambda: self.store.read(name), self.timing))

    async def list(self, prefix: str) -> list[LeaseRecord]:
        return await self.answered(lambda: retried(lambda: self.store.list(prefix), self.timing))

    async def answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to what changes nothing that this client holds. Closing waits for it."""
        if self.is_closed:
            raise LeaseError(CLOSED)
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._asking.add(task)
        try:
            return await ask()
        except asyncio.CancelledError:
            if self.is_closed:
                raise LeaseError("this client was closed before this call was answered") from None
            raise
        finally:
            self._asking.discard(task)
