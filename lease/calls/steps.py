"""The steps of a call, and how they are taken in a caller's thread or in its event loop.

A call is a generator. It yields what is to be sent or waited for, and is sent the answer; it does no I/O, so one
text serves threads and event loops. `WireFailed` and `TimeoutError` are raised in it; every other error ends the
call.

No clean-up depends on it. A signal, a cancellation or the garbage collector can cut it short between any two steps,
and then the library's thread puts right what was begun (`lease.ledger`). What is done here only hastens that.
"""

import asyncio
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import anyio

from ..cancellation import done
from ..database.held.statement import Call
from ..database.held.wire import Wire, WireFailed
from ..errors import LeaseError
from ..ledger import Caller

T = TypeVar("T")


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
    """What the library's thread does; `TimeoutError` after ``patience`` seconds, and it goes on all the same."""

    future: "Future[Any]"
    patience: float | None = None

    def in_thread(self) -> Any:
        try:
            return self.future.result(self.patience)
        finally:
            del self  # an error of the future keeps this frame, and must not be kept by it

    async def in_loop(self) -> Any:
        try:
            return await asyncio.wait_for(done(self.future), self.patience)
        finally:
            del self


Steps = Generator[Sending | Elsewhere, Any, T]


def take_in_thread(steps: Steps[T], caller: Caller, *, waits: bool) -> T:
    """Take the steps of a call in this thread. ``waits``: whoever is interrupted waits until all is put right."""
    step = error = answer = None
    try:
        while True:
            step = steps.send(answer) if error is None else steps.throw(error)
            answer = error = None
            try:
                answer = step.in_thread()
            except (WireFailed, TimeoutError) as failed:
                error = failed
    except StopIteration as end:
        return cast("T", end.value)
    except LeaseError:
        caller.close()
        raise
    except BaseException:  # a signal raised it, at any moment
        with suppress(LeaseError):  # a closed client has put it right
            if waits:
                caller.hasten().result()
            else:
                caller.let_go()
            caller.close()
        raise
    finally:
        del steps, step, error, answer  # an error keeps this frame, and must not be kept by it


async def take_in_loop(steps: Steps[T], caller: Caller, *, waits: bool) -> T:
    """Take the steps of a call in this event loop. ``waits``: whoever is cancelled waits until all is put right."""
    step = error = answer = None
    try:
        while True:
            step = steps.send(answer) if error is None else steps.throw(error)
            answer = error = None
            try:
                answer = await step.in_loop()
            except (WireFailed, TimeoutError) as failed:
                error = failed
    except StopIteration as end:
        return cast("T", end.value)
    except LeaseError:
        caller.close()
        raise
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
        del steps, step, error, answer
