"""The steps of a call, how they are taken in a caller's thread or in its event loop, and the wires that it is lent.

A call is a generator. It yields what is to be sent or waited for, and is sent the answer; it does no I/O, so one
text serves threads and event loops. `WireFailed`, `OutOfPatience` and `RefusedWith` are raised in it. Any other error
cuts it short, also a `LeaseError` or `TimeoutError`, which the handler of a signal may raise; with its own, the call ends
by returning it, or by the `RefusedWith` that has it.

No clean-up depends on it. A signal, a cancellation or the garbage collector can cut it short between any two steps,
and then the library's thread puts right what was begun (`lease.ledger`). What is done here only hastens that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Hashable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Protocol, TypeVar, cast
from weakref import WeakSet

import anyio

from ..background import BackgroundLoop
from ..cancellation import done, settled
from ..core import Core
from ..database.held.statement import Call
from ..database.wires import Wire, WireFailed
from ..database_store import DatabaseStore
from ..errors import LeaseError
from ..events import Event
from ..ledger import Caller, CallLedger
from ..threads import SafeEvent

T = TypeVar("T")


class RefusedWith(Exception):
    """A step, or the call itself, has come to this ``error``."""

    def __init__(self, error: LeaseError) -> None:
        super().__init__()
        self.error = error


class OutOfPatience(Exception):
    """The library's thread has not done it in time; it goes on all the same."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A statement over a wire that is lent to the caller; the answer is what the call makes of it."""

    wire: Wire
    call: Call[Any]

    def in_thread(self) -> Any:
        return self.wire.send_in_thread(self.call)

    async def in_loop(self) -> Any:
        return await self.wire.send_in_loop(self.call)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What the library's thread does; `OutOfPatience` after so many seconds, and it goes on all the same."""

    future: "Future[Any]"
    patience: float | None = None

    def in_thread(self) -> Any:
        if self.patience is not None and not self._is_done_within(self.patience):
            raise OutOfPatience
        return self._answer()

    def _is_done_within(self, patience: float) -> bool:
        done = SafeEvent()  # not the future's own `TimeoutError`, which a signal's handler may raise as well
        self.future.add_done_callback(lambda _: done.set())
        return self.future.done() or done.wait(patience)  # as in `settled`

    async def in_loop(self) -> Any:
        if self.patience is None:
            await settled(self.future)
        elif not await self._is_settled_within(self.patience):
            raise OutOfPatience
        if self.future.cancelled():
            raise asyncio.CancelledError  # see `done`
        return self._answer()

    async def _is_settled_within(self, patience: float) -> bool:
        limit = asyncio.timeout(patience)
        try:
            async with limit:
                await settled(self.future)
        except TimeoutError:
            if not limit.expired():  # it is that of a signal's handler
                raise
            return False
        return True

    def _answer(self) -> Any:
        error = self.future.exception()  # in a thread, it waits for that
        try:
            if isinstance(error, LeaseError):
                raise RefusedWith(error)
            return self.future.result()
        finally:
            del self, error  # an error keeps this frame, and must not be kept by it


@dataclass(frozen=True, slots=True)
class OwnStep:
    """The same for a call all of whose steps the library's thread takes."""

    work: Callable[[], Awaitable[Any]]


Steps = Generator[Any, Any, T]
"""Yields `Sending` and `Elsewhere`, or only `OwnStep`."""


def take_in_thread(steps: Steps[T | LeaseError], caller: Caller, *, waits: bool) -> T:
    """Take the steps of a call in this thread. ``waits``: whoever is interrupted waits until all is put right."""
    step = error = answer = None
    try:
        while True:
            step = steps.send(answer) if error is None else steps.throw(error)
            answer = error = None
            try:
                answer = step.in_thread()
            except (WireFailed, OutOfPatience, RefusedWith) as failed:
                error = failed
    except StopIteration as end:
        answer = end.value
    except RefusedWith as refused:
        answer = refused.error
    except BaseException:  # a signal raised it, at any moment
        with suppress(LeaseError):  # a closed client has put it right
            if waits:
                caller.hasten().result()
            else:
                caller.let_go()
            caller.close()
        raise
    finally:
        del steps, step, error  # an error keeps this frame, and must not be kept by it
    try:
        if isinstance(answer, LeaseError):
            caller.close()  # nothing is to be put right
            raise answer
        return cast("T", answer)
    finally:
        del answer


async def take_in_loop(steps: Steps[T | LeaseError], caller: Caller, *, waits: bool) -> T:
    """Take the steps of a call in this event loop. ``waits``: whoever is cancelled waits until all is put right."""
    step = error = answer = None
    try:
        while True:
            step = steps.send(answer) if error is None else steps.throw(error)
            answer = error = None
            try:
                answer = await step.in_loop()
            except (WireFailed, OutOfPatience, RefusedWith) as failed:
                error = failed
    except StopIteration as end:
        answer = end.value
    except RefusedWith as refused:
        answer = refused.error
    except BaseException as cut:  # a cancellation, or the end of this coroutine, which may await nothing more
        with suppress(LeaseError):  # a closed client has put it right
            if waits and isinstance(cut, asyncio.CancelledError):
                with anyio.CancelScope(shield=True):
                    await done(caller.hasten())
            else:
                caller.let_go()
            caller.close()
        raise
    finally:
        del steps, step, error
    try:
        if isinstance(answer, LeaseError):
            caller.close()  # nothing is to be put right
            raise answer
        return cast("T", answer)
    finally:
        del answer


async def take_inside(steps: Steps[T]) -> T:
    """Take the steps of a call in the library's own event loop; whoever cancels that puts right what it had begun."""
    step = error = answer = None
    try:
        while True:
            step = steps.send(answer) if error is None else steps.throw(error)
            answer = error = None
            try:
                answer = await step.work()
            except LeaseError as refused:
                error = RefusedWith(refused)
    except StopIteration as end:
        return cast("T", end.value)
    finally:
        del steps, step, error, answer


_REST = 10.0
"""Seconds until the next attempt to connect, after one that failed."""
_NONE = -1
"""In place of a slot."""
_LOOKS = 4
"""How often it is looked, in the time that an attempt may take, whether one takes longer."""
_AFTER_THE_CUT = 1.0
"""Seconds that a borrower has to notice that it was cut off, where the client is being closed."""


class Borrower(Protocol):
    """What stands for one use of a wire; equal to itself alone."""

    @property
    def owner(self) -> Hashable:
        """The task or thread that uses it."""

    def is_overdue(self) -> None:
        """Is called in the library's event loop when it was cut off: see to it that what it was about is done."""


@dataclass(frozen=True, slots=True)
class _InLine:
    """A place in line."""

    by: Borrower
    answered: "asyncio.Future[None]"


class WirePool:
    """A few wires, made as they are needed; a caller borrows one for one statement, or two.

    Any thread may borrow one and give it back, and be cut short in either by a signal: `take_back` is
    for what was left then. The rest runs in the library's event loop: who waits does so there, nobody passes one who
    does, and a connection is closed nowhere else.
    """

    def __init__(
        self, loop: BackgroundLoop, connect: Callable[[], Awaitable[Wire | None]], timeout: float, most: int
    ) -> None:
        self._loop = loop
        self._connect = connect
        self._timeout = timeout
        self._slots = range(most)
        self._wires: dict[int, Wire] = {}
        self._borrowers: dict[int, Borrower] = {}
        self._first: dict[Hashable, _InLine] = {}
        self._others: dict[Hashable, _InLine] = {}
        self._gone: WeakSet[Borrower] = WeakSet()
        self._seen: dict[int, tuple[Borrower, float]] = {}
        """Who had each when it was last looked at, and until when it may have it."""
        self._rests_until = 0.0
        self._connecting: asyncio.Task[None] | None = None
        self._watched = False
        self._is_over = False
        self._given_back = asyncio.Event()
        self._closing: set[asyncio.Future[None]] = set()

    # From any thread

    def borrow(self, by: Borrower, *, first: bool = False, waits: bool = True) -> Steps[Wire | None]:
        """Lend one to ``by``, who waits for it where none is free, at most as long as an attempt may take; those who go
        ``first`` (releases do) before the others. None where there is none to be had, or none free for one who does not wait.
        """
        wire = None if self._first or self._others else self._lend(by)
        if wire is None and not waits:
            self._loop.soon(self._make_another)
        elif wire is None and self._may_come:
            yield Elsewhere(self._loop.submit(partial(self._wait, by, first=first)))
            wire = self._wires.get(self._slot_of(by))
        return wire

    def _lend(self, by: Borrower) -> Wire | None:
        for slot in self._slots:  # not through the dictionary: another thread may change it meanwhile
            if slot in self._wires and not self._is_over and self._borrowers.setdefault(slot, by) is by:
                self._seen.pop(slot, None)  # it may be the same borrower as the last time
                wire = None if self._is_over else self._wires.get(slot)
                if wire is None:  # it was closed just then
                    self.give_back(by)
                elif not self._watched:
                    self._loop.soon(self._watch)
                return wire
        return None

    @property
    def _may_come(self) -> bool:
        """Whether there is one, or will be."""
        return not self._is_over and (bool(self._wires) or monotonic() >= self._rests_until)

    def _slot_of(self, by: Borrower) -> int:
        for slot in self._slots:
            if self._borrowers.get(slot) is by:
                return slot
        return _NONE

    def give_back(self, by: Borrower) -> None:
        """End the loan to ``by``, if it has not been taken back."""
        slot = self._slot_of(by)
        wire = self._wires.get(slot)
        if wire is None or (wire.is_well and not self._is_over):
            self._borrowers.pop(slot, None)
            if self._first or self._others or self._is_over:  # asked last: who comes after that finds it free
                self._loop.soon(self._freed)
        elif not self._loop.soon(partial(self._take, by)):
            wire.close(0.0)  # the client has been closed without it

    # In the library's event loop

    async def _wait(self, by: Borrower, *, first: bool) -> None:
        if by in self._gone or self._is_served(by.owner):  # it was cut short on its way here, or would wait for itself
            return
        place = _InLine(by, asyncio.get_running_loop().create_future())
        (self._first if first else self._others)[by.owner] = place
        self._freed()
        try:
            await asyncio.wait({place.answered}, timeout=self._timeout)
        finally:
            self._end_wait(by)

    def _is_served(self, owner: Hashable) -> bool:
        """Return whether it has one, or waits for one: the handler of a signal may have interrupted it there."""
        lent = any(by.owner == owner for by in self._borrowers.copy().values())
        return lent or owner in self._first or owner in self._others

    def _freed(self) -> None:
        """Lend what is free to those who come first, and make another where that is not enough."""
        self._given_back.set()
        while line := self._first or self._others:
            by = next(iter(line.values())).by
            if self._lend(by) is None and self._may_come:
                self._make_another()
                break
            self._end_wait(by)

    def _end_wait(self, by: Borrower) -> None:
        for line in (self._first, self._others):
            place = line.get(by.owner)
            if place is not None and place.by is by:
                del line[by.owner]
                place.answered.set_result(None)

    def _make_another(self) -> None:
        has_room = self._connecting is None and len(self._wires) + len(self._closing) < len(self._slots)
        if has_room and not self._is_over and monotonic() >= self._rests_until:
            self._connecting = asyncio.get_running_loop().create_task(self._connect_once())

    async def take_back(self, by: Borrower) -> None:
        """End the loan to ``by``, who was cut short. What it had sent is done when this returns, or the
        database was away.
        """
        self._gone.add(by)
        self._end_wait(by)
        closing = self._take(by)
        if closing is not None:
            await asyncio.wait({closing})  # and not `await closing`: cut off, it would cancel what no thread has begun

    def _take(self, by: Borrower) -> "asyncio.Future[None] | None":
        """End the loan to ``by``, and begin to close what it had."""
        slot = self._slot_of(by)
        wire = self._wires.pop(slot, None)  # first, so that the next to borrow finds none
        self._borrowers.pop(slot, None)
        closing = None if wire is None else self._close(wire)
        self._freed()  # it may have been cut short before it let anybody know that it had given it back
        return closing

    async def end(self) -> bool:
        """Lend nothing more, and wait for those who have one, at most as long as an attempt may take; False where
        what they have sent may still happen.
        """
        self._is_over = True
        self._freed()
        if self._connecting is not None:
            await asyncio.wait({self._connecting}, timeout=self._timeout)
        if not await self._is_given_back(self._timeout):
            for wire in self._wires.values():
                wire.cut()  # and no more: its borrower may be in the midst of using it
            if not await self._is_given_back(_AFTER_THE_CUT):
                return False
        while self._wires:
            self._close(self._wires.popitem()[1])
        if self._closing:  # also what was taken back: what its borrower had sent may be under way
            await asyncio.wait(set(self._closing))
        return True

    async def _is_given_back(self, seconds: float) -> bool:
        """Wait at most so many seconds for those who have one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._borrowers:
                    await self._given_back.wait()
                    self._given_back.clear()
        return not self._borrowers

    async def _connect_once(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):  # no longer than one attempt: its caller waits for it
                wire = await self._connect()
            if wire is None:  # there is none to be had
                self._is_over = True
            elif self._is_over:
                await self._close(wire)
            else:
                self._wires[next(slot for slot in self._slots if slot not in self._wires)] = wire
        except Exception:  # noqa: BLE001 - it is not needed
            self._rests_until = monotonic() + _REST
        finally:
            self._connecting = None
            self._freed()

    def _watch(self) -> None:
        if not self._watched:
            self._look()

    def _look(self) -> None:
        """Cut what takes too long, and look again in time; until nobody has any."""
        self._watched = False  # before it looks: who borrows one after that sees to it
        lent, due = self._borrowers.copy(), monotonic() + self._timeout
        self._seen = {
            slot: seen if (seen := self._seen.get(slot)) is not None and seen[0] is by else (by, due)
            for slot, by in lent.items()
        }
        if not lent:
            return
        self._watched = True
        for slot, (by, until) in list(self._seen.items()):
            wire = self._wires.get(slot)
            if monotonic() >= until and wire is not None:
                wire.cut()
                self._seen[slot] = by, due
                by.is_overdue()
        asyncio.get_running_loop().call_later(self._timeout / _LOOKS, self._look)

    def _close(self, wire: Wire) -> "asyncio.Future[None]":
        closing = asyncio.get_running_loop().run_in_executor(None, wire.close, self._timeout)
        self._closing.add(closing)
        closing.add_done_callback(self._closed)
        return closing

    def _closed(self, closing: "asyncio.Future[None]") -> None:
        _ = closing.cancelled() or closing.exception()  # asyncio would log an error that nobody asked for
        self._closing.discard(closing)
        self._freed()  # the server had it until now, so there was no room for another


@dataclass(frozen=True, slots=True)
class Direct:
    """What it takes to send statements in the caller's own thread or event loop."""

    store: DatabaseStore
    pool: WirePool


@dataclass(frozen=True, slots=True)
class Means:
    """All that the callers of one client share with the library's thread."""

    core: Core
    loop: BackgroundLoop
    ledger: CallLedger
    notify: Callable[[Event], None]
    """Delivers an event, without a lock that a signal could leave held."""
    direct: Direct | None
    """None where a test moves the time, or the store is one."""
