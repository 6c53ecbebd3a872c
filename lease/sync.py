"""The sync client: the same names without ``await``, for threads, Flask, Django and scripts."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

from .calls.acquiring import acquire, begin
from .calls.releasing import ReleaseUnderWay
from .calls.steps import Steps, take_in_thread
from .core import Ticket
from .durations import Duration
from .errors import LeaseError, LeaseNotAcquired
from .grant_state import lost_error
from .handle import Handle
from .ledger import Caller
from .model import Break, LeaseRecord
from .runtime import SyncDoor
from .threads import IN_A_CALLBACK, in_callback_thread


class Lease(Handle):
    """A lease that this client holds or has held."""

    def release(self) -> bool:
        """End the grant; return False if it had ended before.

        Raises `StoreUnavailable` if the database does not answer; the grant then ends with its ttl, if it
        has not ended yet. Raises `LeaseError` if this thread still has a transaction open that it fenced;
        the grant then ends with that transaction.
        """
        return self._end(ReleaseUnderWay.steps)

    def _end(self, steps: Callable[[ReleaseUnderWay], Steps[Any]]) -> bool:
        release = ReleaseUnderWay(self._runtime.means, self._known, self._fenced)
        with self._runtime.means.ledger.open(release.put_right) as caller:
            released: bool = take_in_thread(steps(release), caller, waits=False)
            caller.close()
        return released


class LeaseClient(SyncDoor):
    """Acquires leases for threads and scripts, and renews them from a thread of its own.

        with LeaseClient("postgresql://…") as client:
            with client.hold("daily-report", wait="30s") as held:
                ...

    Any number of threads can share it. The arguments and errors are those of `lease.LeaseClient`.
    """

    def __enter__(self) -> Self:
        try:
            self._runtime.open().result()
        except BaseException:
            self._runtime.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if self._runtime.is_inherited:
            return
        if in_callback_thread():
            raise LeaseError(IN_A_CALLBACK)
        try:
            self._runtime.close().result()
        finally:
            self._runtime.stop()

    @contextmanager
    def hold(self, name: str, *, wait: Duration | None = 0) -> Iterator[Lease]:
        """Hold ``name`` while the block runs, and release it afterwards.

        By default it raises `LeaseNotAcquired` at once if another client holds the lease. ``wait="30s"``
        waits for up to 30 seconds, ``wait=None`` without limit. It raises `StoreUnavailable` if the
        database does not answer, and `InvalidName` for a name that cannot be acquired.

        The block cannot be cancelled: check ``held.lost``, or call ``held.ensure()``. If the lease was
        lost, the end of the block raises `LeaseLost`, unless the block itself raises.
        """
        ticket = Ticket(name, wait)
        with begin(self._runtime.means, ticket) as caller:
            held = self._acquire(ticket, caller)
            try:
                yield held
            finally:
                self._leave(held, caller)
        if held.loss is not None:
            raise lost_error(held.loss)

    def acquire(self, name: str, *, wait: Duration | None = 0) -> Lease:
        """Acquire ``name`` without a block: call ``release()`` yourself. ``wait`` and errors are those of `hold`."""
        ticket = Ticket(name, wait)
        with begin(self._runtime.means, ticket) as caller:
            held = self._acquire(ticket, caller)
            caller.close()  # the program has it
            return held

    def _acquire(self, ticket: Ticket, caller: Caller) -> Lease:
        if ticket.wait is None:
            _refuse_to_block(ticket.turn.name, self._runtime.core.turns.owner(ticket.turn.name))
        return Lease(self._runtime, take_in_thread(acquire(self._runtime.means, ticket), caller, waits=True))

    def try_acquire(self, name: str) -> Lease | None:
        """Acquire ``name`` if it is free or stale; otherwise return None. Release it yourself."""
        try:
            return self.acquire(name)
        except LeaseNotAcquired:
            return None

    def lead(self, name: str) -> Iterator[Lease]:
        """Yield a lease each time this client becomes the leader ``name``, without end:
        ``for held in client.lead("mailer")``.

        Check ``held.lost`` or call ``held.ensure()`` in the body. At its end the lease is released, and
        the next turn waits for it again.
        """
        while True:
            ticket = Ticket(name, wait=None)
            with begin(self._runtime.means, ticket) as caller:
                held = self._acquire(ticket, caller)
                try:
                    yield held
                finally:
                    self._leave(held, caller)

    def read(self, name: str) -> LeaseRecord | None:
        """Return the lease ``name`` as the database has it, or None if it was never granted."""
        return self._runtime.submit(lambda core: core.read(name)).result()

    def list(self, prefix: str = "") -> list[LeaseRecord]:
        """Return the leases whose names begin with ``prefix``, sorted by name."""
        return self._runtime.submit(lambda core: core.list(prefix)).result()

    def break_lease(self, name: str, reason: str, *, by: str | None = None) -> Break:
        """End the grant of another holder of ``name``; see `lease.LeaseClient.break_lease`."""
        return self._runtime.submit(lambda core: core.break_lease(name, reason, by)).result()

    def _leave(self, held: Lease, caller: Caller) -> None:
        if held.is_inherited:
            return
        if in_callback_thread():  # the garbage collector has ended the block there
            caller.let_go()
            return
        try:
            held._end(ReleaseUnderWay.steps_at_the_end_of_a_block)  # noqa: SLF001 - the library's own
        except BaseException as error:  # a signal may have raised it, before that was asked for
            caller.let_go()
            if not isinstance(error, LeaseError) or not self._runtime.means.loop.is_over:  # else its client is closed
                raise
        caller.close()


def _refuse_to_block(name: str, owner: Any) -> None:
    """Raise `LeaseError` if it is held by a task that runs in this thread, though not just now."""
    task = None if owner is None else owner()
    with suppress(RuntimeError):  # no event loop runs in this thread
        here = asyncio.get_running_loop()
        if isinstance(task, asyncio.Task) and task.get_loop() is here and task is not asyncio.current_task():
            raise LeaseError(
                f"lease {name!r} is held by another task of this event loop, which can't release it while this thread "
                "waits: use lease.LeaseClient, or give a finite wait"
            )
