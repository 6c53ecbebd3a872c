"""The core of a client, in the library's own event loop: acquire, wait, release. The async and the
sync client are two doors to it.
"""

import asyncio
import os
import socket
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar, assert_never, cast

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from . import events
from .clock import Clock
from .durations import format_duration
from .errors import LeaseError, LeaseNotAcquired, StoreUnavailable
from .grant_state import GrantState
from .heartbeat import Heartbeat
from .model import Grant, LeaseRecord, check_name
from .store import Store
from .timing import LeaseTiming

T = TypeVar("T")

_ATTEMPTS = 3
"""How many times a call that does not wait asks the database before it reports that it is away."""


class Ticket:
    """The task and the result of one `acquire`, kept so that a caller who is cancelled can abandon
    it.
    """

    task: "asyncio.Task[GrantState] | None" = None
    state: GrantState | None = None


class Core:
    """One incarnation of one client: its holder id is random for each start, since names come back
    and owners must not merge.
    """

    def __init__(
        self, store: Store, timing: LeaseTiming, *, clock: Clock, listener: events.Listener, label: str | None = None
    ) -> None:
        self.holder = uuid.uuid4().hex
        self.label = label or f"{socket.gethostname()}:{os.getpid()}"
        self.timing = timing
        self.store = store
        self.clock = clock
        self.notify = events.guarded(listener)
        self.heartbeat = Heartbeat(store, timing, self.holder, clock, self.notify)
        self._beating: asyncio.Task[None] | None = None
        self._acquiring: set[asyncio.Task[GrantState]] = set()
        self._closing = False

    async def start(self) -> None:
        """Start the heartbeat."""
        self._beating = asyncio.get_running_loop().create_task(self.heartbeat.run())

    async def close(self) -> None:
        """End acquisitions, release what is held, then stop the heartbeat: nothing outlives it
        (rule 19).
        """
        self._closing = True
        for task in self._acquiring:
            task.cancel()
        if self._acquiring:
            await asyncio.wait(set(self._acquiring))
        await self._release_all()
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait({self._beating})
        await self.store.close()

    async def _release_all(self) -> None:
        """Release all that is held, for as long as trust could last; what is left then is ended by
        its ttl.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self.timing.give_up):
                for state in self.heartbeat.held:
                    try:
                        await self.release(state)
                    except StoreUnavailable as error:
                        self.notify(events.ReleaseFailed(state.grant, str(error)))
        for state in self.heartbeat.held:
            self.heartbeat.forget(state)
            self.notify(events.ReleaseFailed(state.grant, "the client was closed while the database was away"))

    async def acquire_for(self, ticket: Ticket, name: str, wait: float | None) -> GrantState:
        """Acquire ``name`` for a caller that may be gone by the time it is granted (see `abandon`)."""
        if self._closing:
            raise LeaseError("this client is closed")
        ticket.task = cast("asyncio.Task[GrantState]", asyncio.current_task())
        self._acquiring.add(ticket.task)
        try:
            ticket.state = await self.acquire(name, wait)
        except asyncio.CancelledError:
            if self._closing:
                raise LeaseError(f"this client was closed while it acquired lease {name!r}") from None
            raise
        finally:
            self._acquiring.discard(ticket.task)
        return ticket.state

    async def abandon(self, ticket: Ticket) -> None:
        """End an acquisition whose caller was cancelled, and release what it had been granted."""
        if ticket.task is not None and not ticket.task.done():
            ticket.task.cancel()
            await asyncio.wait({ticket.task})
        if ticket.state is not None:
            with suppress(StoreUnavailable):
                await self.release(ticket.state)

    async def acquire(self, name: str, wait: float | None) -> GrantState:
        """Acquire ``name``, waiting at most ``wait`` seconds (None: for ever); `LeaseNotAcquired`
        says who holds it.
        """
        if self.heartbeat.holds(check_name(name)):
            raise LeaseNotAcquired(
                f"lease {name!r}: this client holds it already, or is acquiring it; there is no re-entry"
            )
        self.heartbeat.begin_flight(name)
        try:
            return await self._acquire(name, wait)
        finally:
            self.heartbeat.end_flight(name, sure=True)

    async def _acquire(self, name: str, wait: float | None) -> GrantState:
        deadline = None if wait is None else self.clock() + wait
        while True:
            answer = await self._attempt(name)
            if isinstance(answer, GrantState):
                return answer
            left = self.timing.ttl if deadline is None else deadline - self.clock()
            if left <= 0:
                match answer:
                    case StoreUnavailable():
                        raise answer
                    case LeaseRecord() | None:
                        self.notify(events.Refused(name, answer))
                        raise LeaseNotAcquired(_refusal(name, answer, wait))
                    case _:
                        assert_never(answer)
            await self._wait(name, answer, min(left, self.timing.ttl))

    async def _attempt(self, name: str) -> GrantState | LeaseRecord | StoreUnavailable | None:
        try:
            return await self._retried(lambda: self._grant_once(name))
        except StoreUnavailable as error:
            return error

    async def _grant_once(self, name: str) -> GrantState | LeaseRecord | None:
        sent = self.clock()
        try:
            answer = await self.store.grant(name, self.holder, self.label, self.timing.ttl)
        except (StoreUnavailable, asyncio.CancelledError):
            self.heartbeat.sweep()  # it may have been granted all the same
            raise
        match answer:
            case Grant() if self.clock() - sent < self.timing.give_up:
                return self.heartbeat.adopt(answer, sent)
            case Grant():
                await self.store.release(answer)
                return None
            case LeaseRecord(holder=self.holder, grant=Grant() as earlier) if not self.heartbeat.lingers(earlier):
                # The reply to an earlier attempt was lost, and with it that grant.
                await self.store.release(earlier)
                return await self._grant_once(name)
            case LeaseRecord() | None:
                return answer
            case _:
                assert_never(answer)

    async def _wait(self, name: str, answer: LeaseRecord | StoreUnavailable | None, seconds: float) -> None:
        if isinstance(answer, LeaseRecord) and answer.live:
            with suppress(StoreUnavailable):
                await self.store.wait_released(name, seconds)
                return
        # The database is away, or a transaction has the row of a free lease locked: nothing
        # announces the end of either.
        await asyncio.sleep(min(seconds, self.timing.retry_wait))

    async def release(self, state: GrantState) -> bool:
        """End the grant; False when it had ended before. If the database is away it ends at the
        latest after the ttl.
        """
        if state.loss is not None or state.over:
            self.heartbeat.leave(state.grant)
            return False
        with state.being_ended():
            try:
                released = await self._retried(lambda: self.store.release(state.grant))
            except (StoreUnavailable, asyncio.CancelledError):
                self.heartbeat.sweep()
                raise
            finally:
                self.heartbeat.forget(state)
        self.notify(events.Released(state.grant, released))
        return released

    async def read(self, name: str) -> LeaseRecord | None:
        """Return what the database has under ``name``."""
        return await self._retried(lambda: self.store.read(check_name(name)))

    async def list(self, prefix: str) -> list[LeaseRecord]:
        """Return the leases whose names begin with ``prefix``, by name."""
        return await self._retried(lambda: self.store.list(prefix))

    async def _retried(self, call: Callable[[], Awaitable[T]]) -> T:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(StoreUnavailable),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_fixed(self.timing.retry_wait),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await call()
        raise AssertionError  # the last attempt's error is raised


def _refusal(name: str, record: LeaseRecord | None, wait: float | None) -> str:
    waited = f" (waited {format_duration(wait)})" if wait else ""
    if record is None or record.holder is None:
        return f"lease {name!r} could not be acquired{waited}: it was busy each time"
    held = "" if record.held_for is None else f" for {format_duration(record.held_for)}"
    who = record.label or record.holder
    return f"lease {name!r} is held by {who} (holder {record.holder}, token {record.token}){held}{waited}"
