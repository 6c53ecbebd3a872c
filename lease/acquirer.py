"""The acquisition of one lease: ask, wait for its holder, ask again."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from . import events
from .clock import Clock
from .durations import format_duration
from .errors import LeaseNotAcquired, StoreUnavailable
from .grant_state import GrantState
from .heartbeat.heartbeat import Heartbeat
from .model import Grant, LeaseRecord, check_name
from .retrying import retried
from .store import Store
from .timing import LeaseTiming


@dataclass(frozen=True)
class Acquirer:
    """Acquires leases for one holder."""

    store: Store
    timing: LeaseTiming
    heartbeat: Heartbeat
    holder: str
    label: str
    clock: Clock
    notify: events.Listener

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
            return await retried(lambda: self._grant_once(name), self.timing)
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


def _refusal(name: str, record: LeaseRecord | None, wait: float | None) -> str:
    waited = f" (waited {format_duration(wait)})" if wait else ""
    if record is None or record.holder is None:
        return f"lease {name!r} could not be acquired{waited}: it was busy each time"
    held = "" if record.held_for is None else f" for {format_duration(record.held_for)}"
    who = record.label or record.holder
    return f"lease {name!r} is held by {who} (holder {record.holder}, token {record.token}){held}{waited}"
