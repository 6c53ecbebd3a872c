"""A lease that a client holds: what can be read of it, the same for the async and the sync client, and its
end in an event loop.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any, overload

from .calls.releasing import FencedTransaction, ReleaseUnderWay
from .calls.steps import Steps, take_in_loop
from .database.forks import advice
from .durations import Duration
from .errors import LeaseError
from .fences import BOUND, AsyncKinds, SyncKinds, fence
from .grant_state import GrantState
from .model import Grant, Loss
from .runtime import Runtime


class Handle:
    """One grant of a client.

    After ``os.fork`` the child's copy has only name, token, holder and grant. All else raises
    `LeaseError`, because no heartbeat renews it there, and it learns of no loss.
    """

    def __init__(self, runtime: Runtime, state: GrantState) -> None:
        self._runtime = runtime
        self._known = state
        self._fenced: list[FencedTransaction] = []
        self._pid = os.getpid()

    @property
    def is_inherited(self) -> bool:
        """Whether it was acquired before this process was forked."""
        return os.getpid() != self._pid

    @property
    def _state(self) -> GrantState:
        if self.is_inherited:
            raise LeaseError(
                f"lease {self.name!r} was acquired before os.fork(), and only the parent process knows whether "
                f"it still holds it: {advice('acquire a lease in the child, or prove this one with lease.fence and its grant')}"
            )
        return self._known

    def __repr__(self) -> str:
        state = "inherited by os.fork()" if self.is_inherited else f"remaining={self._known.remaining():.1f}s"
        return f"<{type(self).__name__} {self.name!r} token={self.token} {state}>"

    @property
    def grant(self) -> Grant:
        """Name, token and holder, which `lease.fence` or a child process needs."""
        return self._known.grant

    @property
    def name(self) -> str:
        """The name of the lease."""
        return self.grant.name

    @property
    def token(self) -> int:
        """The fencing token: higher than all tokens that were granted before under this name."""
        return self.grant.token

    @property
    def holder(self) -> str:
        """The random id of the client that holds it."""
        return self.grant.holder

    @property
    def lost(self) -> threading.Event:
        """Set when the lease is lost; usable from every thread."""
        return self._state.lost

    @property
    def loss(self) -> Loss | None:
        """Why it was lost; None as long as it is not."""
        return self._state.loss

    @property
    def trusted_until(self) -> float:
        """Until when it can be trusted, in seconds by `lease.clock.boottime`."""
        return self._state.trusted_until

    def remaining(self) -> float:
        """Return for how many more seconds it can be trusted, by this machine's clock; 0 once it is lost (rule 2)."""
        return self._state.remaining()

    def ensure(self, at_least: Duration = 0) -> None:
        """Raise `LeaseLost` unless this lease can be trusted for ``at_least`` longer (``"5s"``, or seconds)."""
        self._state.ensure(at_least)

    @overload
    def fence(self, connection: SyncKinds, *, bound: Duration = BOUND) -> None: ...

    @overload
    def fence(self, connection: AsyncKinds, *, bound: Duration = BOUND) -> Coroutine[Any, Any, None]: ...

    def fence(self, connection: Any, *, bound: Duration = BOUND) -> Any:
        """Fence the caller's transaction: it commits only while this grant is in force (rule 11).

        Call it first in the transaction; await it for an async connection. ``bound`` is how long the
        transaction can take on PostgreSQL, by default 30 seconds. Raises `LeaseLost` if the grant has
        ended, and `LeaseError` if the connection cannot be fenced; `lease.fence` says more.
        """
        self._state.refuse_ended()  # that is final, also where the database has not ended the grant yet (rule 6)
        home = self._runtime.home
        url, identity = (None, None) if home is None else (home.url, home.identity)
        proven = fence(connection, self._state.grant, bound=bound, home=url, identity=identity) or _Proven()
        known = [one for one in self._fenced if one.connection() is not None and one.connection() is not connection]
        self._fenced = [*known, FencedTransaction(connection)]
        return proven

    def watch(self, watcher: Callable[[float], None]) -> None:
        """Call ``watcher`` now and after each renewal with the new `trusted_until`. It is called from the
        heartbeat's thread, so it must be quick.
        """
        self._state.watch(watcher)

    def on_lost(self, callback: Callable[[Loss], None]) -> None:
        """Call ``callback`` when this lease is lost, or at once if it is lost already. It is called from
        the heartbeat's thread, so it must be quick.
        """
        self._state.on_lost(callback)


class Lease(Handle):
    """A lease that this client holds or has held."""

    async def release(self) -> bool:
        """End the grant; return False if it had ended before. It continues even if the caller is cancelled.

        Raises `StoreUnavailable` if the database does not answer; the grant then ends with its ttl, if it
        has not ended yet. Raises `LeaseError` if this task still has a transaction open that it fenced;
        the grant then ends with that transaction.
        """
        return await self._end(ReleaseUnderWay.steps)

    async def _end(self, steps: Callable[[ReleaseUnderWay], Steps[Any]]) -> bool:
        release = ReleaseUnderWay(self._runtime.means, self._known, self._fenced)
        with self._runtime.means.ledger.open(release.put_right, asyncio.get_running_loop()) as caller:
            released: bool = await take_in_loop(steps(release), caller, waits=False)
            caller.close()
        return released

    @asynccontextmanager
    async def ending(self) -> AsyncIterator[None]:
        """Release the grant in a transaction of your own (`lease.statements.release`), in this block.

        In the block, no answer to a renewal counts as a loss. After it the grant is no longer renewed,
        unless the block raises.
        """
        with self._state.being_ended():
            yield
            self._runtime.forget(self._state)


class _Proven:
    """An awaitable that is done already; unlike a coroutine it need not be awaited."""

    def __await__(self) -> Generator[None]:
        return
        yield
