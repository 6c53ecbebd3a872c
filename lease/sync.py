"""The sync client: the same names without ``await``, for threads, Flask, Django and scripts."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Self

from . import events
from .clock import Clock, boottime
from .closing import note_holder
from .core import Ticket
from .database.address import Address
from .doors import SyncDoor
from .durations import Duration, parse_duration
from .errors import LeaseError, LeaseNotAcquired
from .fences.fenced import PATIENCE
from .grant_state import lost_error
from .handle import Handle
from .ledger import Caller
from .model import Break, LeaseRecord
from .runtime import Runtime
from .shortcut.shortcut import ThreadShortcut
from .store import Store
from .threads import in_callback_thread, refuse_in_callbacks
from .timing import LeaseTiming


class Lease(Handle):
    """A lease that this client holds, or held; `lease.handle.Handle` has what can be read of it."""

    def release(self) -> bool:
        """End the grant; False when it had ended before.

        Raises `StoreUnavailable` when the database is away; then the grant ends by its ttl, if it has not
        ended already. Raises `LeaseError` where it waits for a fenced transaction that this thread has
        open; then the grant ends with that.
        """
        begun = self._begin_release()
        if isinstance(begun, bool):
            return begun
        ending, may_wait_for_itself = begun
        if may_wait_for_itself and not wait([ending], PATIENCE).done:
            raise self._held_up(ending)
        return ending.result()

    def _begin_release(self) -> bool | tuple[Future[bool], bool]:
        """Release it in this thread, or begin that in the library's where something is in the way."""
        shortcut: ThreadShortcut | None = self._runtime.shortcut
        if shortcut is None or self._fenced.may_wait_for_itself():
            return self._releasing()
        release = shortcut.releasing(self._known)
        caller = self._runtime.opened(release.end)
        try:
            ended = shortcut.release(release)
            begun = self._releasing(handed_over=release.is_handed_over) if ended is None else ended
        except LeaseError:
            caller.entry.is_settled = True
            raise
        except BaseException:  # a signal raised it, at any moment; the ledger has it, but that takes longer
            with suppress(LeaseError):  # a closed client releases it
                self._runtime.submit(lambda _: release.end())
                caller.entry.is_settled = True
            raise
        self._runtime.closed(caller)
        return begun


class LeaseClient(SyncDoor):
    """Acquires leases, and renews them from a heartbeat in a thread of its own; see
    `lease.client.LeaseClient`.

    Use it as ``with``, from any number of threads. After ``os.fork`` it raises `LeaseError`: make
    one in the child.
    """

    def __init__(
        self,
        database: Address | None = None,
        *,
        schema: str | None = None,
        timing: LeaseTiming | None = None,
        on_event: events.Listener = events.log_event,
        label: str | None = None,
        store: Store | None = None,
        clock: Clock = boottime,
    ) -> None:
        self._runtime = Runtime(
            ThreadShortcut,
            database,
            schema=schema,
            timing=timing,
            listener=on_event,
            label=label,
            store=store,
            clock=clock,
        )

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
        refuse_in_callbacks()
        try:
            self._runtime.close().result()
        finally:
            self._runtime.stop()

    @property
    def holder(self) -> str:
        """The random id of this incarnation."""
        return self._runtime.core.holder

    @property
    def timing(self) -> LeaseTiming:
        """The durations that this client works by."""
        return self._runtime.timing

    @contextmanager
    def hold(self, name: str, *, wait: Duration | None = 0) -> Iterator[Lease]:
        """Hold ``name`` while the block runs, and release it after; ``wait`` as in
        `lease.client.LeaseClient.hold`.

        A block that runs in this thread cannot be cancelled: watch ``held.lost`` or call
        ``held.ensure()``. If the lease was lost, `LeaseLost` is raised at the end of the block,
        unless the block itself raises.
        """
        ticket, seconds = Ticket(name), _seconds(wait)
        caller = self._runtime.opened(partial(self._runtime.abandoning, ticket))
        held = self._acquire(ticket, seconds, caller)
        try:
            yield held
        finally:
            self._leave(held, caller)
        if held.loss is not None:
            raise lost_error(held.loss)

    def acquire(self, name: str, *, wait: Duration | None = 0) -> Lease:
        """Acquire ``name`` for a program that cannot use a block, which then releases it; ``wait`` as
        in `hold`.
        """
        ticket, seconds = Ticket(name), _seconds(wait)
        caller = self._runtime.opened(partial(self._runtime.abandoning, ticket))
        held = self._acquire(ticket, seconds, caller)
        caller.entry.is_settled = True  # the program has it
        return held

    def _acquire(self, ticket: Ticket, seconds: float | None, caller: Caller) -> Lease:
        try:
            if seconds is None:
                _refuse_to_block(ticket.turn.name, self._runtime.core.turns.owner(ticket.turn.name))
            shortcut = self._runtime.shortcut
            state = None if shortcut is None else shortcut.acquire(ticket)
            if state is None:
                acquiring = self._runtime.submit(
                    lambda core: core.acquire_for(ticket, seconds), None if seconds != 0 else 0.0
                )
                state = acquiring.result()
            note_holder(state)
            return Lease(self._runtime, state)
        except LeaseError:
            caller.entry.is_settled = True
            raise
        except BaseException:
            # A signal raised it in this thread, at any moment since the acquisition began. The ledger has it,
            # but that takes longer.
            with suppress(LeaseError):  # a closed client has abandoned it
                self._runtime.abandon(ticket).result()
                caller.entry.is_settled = True
            raise

    def try_acquire(self, name: str) -> Lease | None:
        """Acquire ``name`` if it is free or stale, otherwise return None. The caller releases it."""
        try:
            return self.acquire(name)
        except LeaseNotAcquired:
            return None

    def lead(self, name: str) -> Iterator[Lease]:
        """Yield a lease each time this client becomes the leader ``name``, without end; see
        `lease.client.LeaseClient.lead`.
        """
        while True:
            ticket = Ticket(name)
            caller = self._runtime.opened(partial(self._runtime.abandoning, ticket))
            held = self._acquire(ticket, None, caller)
            try:
                yield held
            finally:
                self._leave(held, caller)

    def read(self, name: str) -> LeaseRecord | None:
        """Return what the database has under ``name``, or None when it was never granted."""
        return self._runtime.submit(lambda core: core.read(name)).result()

    def list(self, prefix: str = "") -> list[LeaseRecord]:
        """Return the leases whose names begin with ``prefix``, by name."""
        return self._runtime.submit(lambda core: core.list(prefix)).result()

    def break_lease(self, name: str, reason: str, *, by: str | None = None) -> Break:
        """End the grant of another holder of ``name``; see `lease.client.LeaseClient.break_lease`."""
        return self._runtime.submit(lambda core: core.break_lease(name, reason, by)).result()

    def _leave(self, held: Lease, caller: Caller) -> None:
        """Release it at the end of its block."""
        if held.is_inherited:
            return
        if in_callback_thread():  # the garbage collector has ended the block there
            self._runtime.give_back(held.grant)
            return
        try:
            held.release()
        except LeaseError as error:  # what the block did matters more; the grant ends by its ttl
            if held.loss is None:  # of a lost one, its closing client has told already
                self._runtime.core.notify(events.ReleaseFailed(held.grant, str(error)))
        except BaseException:  # a signal raised it, perhaps before that was asked for
            self._runtime.give_back(held.grant)
            raise
        self._runtime.closed(caller)


def _seconds(wait: Duration | None) -> float | None:
    return None if wait is None else parse_duration(wait)


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
