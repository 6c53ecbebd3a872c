"""The acquisition of one lease: ask, wait for its holder, ask again; or be refused, with a sentence."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar, assert_never

from .. import events
from ..cancellation import uncut
from ..clock import Clock
from ..durations import format_duration, next_wait
from ..errors import LeaseError, LeaseNotAcquired, StoreUnavailable
from ..grant_state import GrantState
from ..heartbeat.heartbeat import Heartbeat
from ..model import Grant, LeaseRecord, check_free_name, is_mark
from ..store import Asked, Bid, Store, Wait, retried
from ..timing import LeaseTiming
from ..waiters import LOOK, ahead_of, turn_in
from .turns import LocalTurn, Turns

T = TypeVar("T")

_SHORT = 0.005
"""Seconds until the first new attempt where a row was locked; each further wait is twice as long."""
_ITSELF = "this task or thread already holds it; leases are not reentrant"
_ANOTHER = "another task or thread of this client holds it, or waits for it"
_AFTER = 0.005
"""Seconds by which to look later than it may be one's turn, so that it is."""


@dataclass(frozen=True)
class Acquirer:
    """Acquires leases for one holder."""

    store: Store
    timing: LeaseTiming
    heartbeat: Heartbeat
    turns: Turns
    holder: str
    label: str
    clock: Clock
    notify: events.Listener

    async def acquire(self, turn: LocalTurn, wait: float | None) -> GrantState:
        """Acquire the name of ``turn`` for its owner, waiting at most ``wait`` seconds (None: for ever);
        `LeaseNotAcquired` says who holds it.
        """
        name, deadline = check_free_name(turn.name), None if wait is None else self.clock() + wait
        if not self.turns.has(turn):  # its caller may have begun it
            await self._take(turn, wait)
        try:
            state = await self._in_turn(name, wait, deadline)
        except BaseException:
            self.turns.end(turn)
            raise
        state.when_over(lambda: self.turns.end(turn))
        return state

    async def _take(self, turn: LocalTurn, wait: float | None) -> None:
        if wait is None and self._would_wait_for_itself(turn):
            raise self._refused_within(turn.name, _ITSELF)
        if not await self.turns.take(turn, wait):
            is_its_own = self.turns.owner(turn.name) == turn.owner
            raise self._refused_within(turn.name, _ITSELF if is_its_own else _ANOTHER, wait)

    def _would_wait_for_itself(self, turn: LocalTurn) -> bool:
        """Return whether the same task or thread has the turn, and is not about to end it: a release that was
        cancelled goes on.
        """
        held = self.heartbeat.held.named(turn.name)
        return self.turns.owner(turn.name) == turn.owner and (held is None or not held.ending)

    async def _in_turn(self, name: str, wait: float | None, deadline: float | None) -> GrantState:
        pause = 0.0
        while self.heartbeat.flights.acquire(name) or self.heartbeat.held.named(name) is not None:
            # Without a turn: a program has adopted it, or what a caller who was cut short has left is just ended.
            if deadline is not None and deadline <= self.clock():
                raise self._refused_within(name, "this client already holds it", wait)
            pause = next_wait(pause, _SHORT, self.timing.retry_wait)
            await asyncio.sleep(pause)
        flight = self.heartbeat.begin_flight(name)
        try:
            return await self._acquire(name, wait, deadline)
        finally:
            self.heartbeat.end_flight(flight, sure=True)

    async def _acquire(self, name: str, wait: float | None, deadline: float | None) -> GrantState:
        queue = deadline is None or deadline > self.clock()
        is_queued, pause = queue, 0.0  # an attempt that is cut off may have left its mark
        is_told = False
        bid = Bid(name, self.holder, self.label, self.timing.ttl, self.clock)
        with self.store.waiting(bid) as wait_for_turn:
            try:
                while True:
                    answer = await self._attempt(bid, queue=queue)
                    if isinstance(answer, GrantState):
                        is_queued = False
                        return answer
                    left = LOOK if deadline is None else deadline - self.clock()
                    if left <= 0:
                        raise self._refused(name, answer, wait)
                    if isinstance(answer, StoreUnavailable) and not is_told:
                        self.notify(events.Unanswered(name, str(answer)))
                    is_told = isinstance(answer, StoreUnavailable)
                    look = _next_look(answer, self.holder)
                    if look is None:
                        # The database is away, or a transaction has the row locked: nothing
                        # announces the end of either.
                        pause = next_wait(pause, _SHORT, self.timing.retry_wait)
                        await asyncio.sleep(min(left, self.timing.retry_wait if is_told else pause))
                    else:
                        await self._wait(wait_for_turn, bid, min(left, look.seconds, LOOK), look.ahead)
                        pause = 0.0
            finally:
                if is_queued:
                    with suppress(StoreUnavailable):  # a cancelled client cancels twice: not in the midst of this
                        await uncut(asyncio.ensure_future(self.store.leave(name, self.holder)))

    def _refused(self, name: str, answer: LeaseRecord | StoreUnavailable | None, wait: float | None) -> LeaseError:
        match answer:
            case StoreUnavailable():
                return answer
            case LeaseRecord() | None:
                self.notify(events.Refused(name, answer))
                return refusal(name, answer, self.holder, waited=wait or 0.0)
            case _:
                assert_never(answer)

    def _refused_within(self, name: str, why: str, wait: float | None = None) -> LeaseNotAcquired:
        held = self.heartbeat.held.named(name)
        grant = None if held is None else held.grant
        return refusal_within(name, why, self.holder, self.label, grant, waited=wait or 0.0)

    async def _wait(self, wait_for_turn: Wait, bid: Bid, seconds: float, ahead: int) -> None:
        try:
            with suppress(StoreUnavailable):  # the next attempt finds out for how long
                await wait_for_turn(seconds, ahead)
        except asyncio.CancelledError:
            if (asked := bid.take()) is not None:
                await self._give_up(asked)
            raise

    async def _attempt(self, bid: Bid, *, queue: bool) -> GrantState | LeaseRecord | StoreUnavailable | None:
        try:
            return await retried(lambda: self._grant_once(bid, queue=queue), self.timing)
        except StoreUnavailable as error:
            return error

    async def _grant_once(self, bid: Bid, *, queue: bool) -> GrantState | LeaseRecord | None:
        asked = bid.take()
        if asked is None or (answer := await self._answered(asked)) is None:
            async with self.store.admitted():  # first: neither the attempt's clock nor that of trust runs before it
                asked = self._ask(bid, queue=queue)
                answer = await self._answered(asked)
        match answer:
            case Grant() if self.clock() - asked.sent < self.timing.give_up:
                return self.heartbeat.adopt(answer, asked.sent)
            case Grant():
                self.heartbeat.sweep()
                await self.store.release(answer)
                return None
            case LeaseRecord(holder=self.holder, grant=Grant() as earlier) if not self.heartbeat.accounts_for(earlier):
                # The reply to an earlier attempt was lost, and with it that grant.
                await self.store.release(earlier)
                return await self._grant_once(bid, queue=queue)
            case LeaseRecord() | None:
                return answer
            case _:
                assert_never(answer)

    def _ask(self, bid: Bid, *, queue: bool) -> Asked:
        sent = self.clock()
        granting = self.store.grant(bid.name, self.holder, self.label, self.timing.ttl, queue=queue)
        return Asked(sent, asyncio.ensure_future(granting))

    async def _answered(self, asked: Asked) -> Grant | LeaseRecord | None:
        """Wait for the answer, also when cancelled: a statement that nobody waits for could still grant the
        lease, or take a place, after all has been given up here.
        """
        try:
            return await uncut(asked.answer)
        except (StoreUnavailable, asyncio.CancelledError):
            await self._give_up(asked)
            raise

    async def _give_up(self, asked: Asked) -> None:
        """Release what was asked for. Where no answer comes, it may have been granted all the same: sweep."""
        with suppress(Exception, asyncio.CancelledError):  # the caller raises its own error
            await uncut(asked.answer)
        self.heartbeat.sweep()
        if isinstance(granted := _result(asked.answer), Grant):
            with suppress(StoreUnavailable):
                await uncut(asyncio.ensure_future(self.store.release(granted)))


def _result(task: "asyncio.Future[T]") -> T | None:
    return None if task.cancelled() or task.exception() is not None else task.result()


@dataclass(frozen=True, slots=True)
class _Look:
    """When to look again, by itself, and how many come before."""

    seconds: float
    ahead: int


def _next_look(answer: LeaseRecord | StoreUnavailable | None, holder: str) -> _Look | None:
    """Return when it may be the turn of ``holder``; None when it should be now, but is not."""
    if not isinstance(answer, LeaseRecord) or answer.free_for is None:
        return None
    ahead = ahead_of(holder, answer.waiting)
    seconds = turn_in(ahead, answer.free_for)
    return _Look(seconds + _AFTER, ahead) if seconds > 0 else None


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


def refusal_within(
    name: str, why: str, holder: str, label: str, held: Grant | None, *, waited: float
) -> LeaseNotAcquired:
    """Return the error for a task or thread that was refused ``name`` within its own client."""
    return LeaseNotAcquired(
        f"lease {name!r} could not be acquired{_after(waited)}: {why}",
        name=name,
        holder=holder,
        label=label,
        token=None if held is None else held.token,
        waited=waited,
    )


def _after(waited: float) -> str:
    return f" (waited {format_duration(waited)})" if waited else ""
