"""What the two clients have in common, and the doors by which each is not entered, with a sentence that names the right
one.
"""

import asyncio
from typing import NoReturn

from . import events
from .clock import Clock, boottime
from .database.address import Address
from .errors import LeaseError
from .runtime import Runtime
from .store import Store
from .timing import LeaseTiming


class _Door:
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
            database,
            schema=schema,
            timing=timing,
            listener=on_event,
            label=label,
            store=store,
            clock=clock,
        )

    @property
    def holder(self) -> str:
        """The random id of this client; a new client has another one."""
        return self._runtime.core.holder

    @property
    def timing(self) -> LeaseTiming:
        """The durations that this client uses."""
        return self._runtime.timing


class AsyncDoor(_Door):
    """The door of the async client, for those who come to it as to the sync one, or without asyncio."""

    def __enter__(self) -> NoReturn:
        raise LeaseError("this LeaseClient is async: enter it with `async with`, or use lease.sync.LeaseClient")

    def __exit__(self, *error: object) -> None:
        """Stand here for ``with``, which looks for it first."""


class SyncDoor(_Door):
    """The door of the sync client, for those who come to it as to the async one."""

    async def __aenter__(self) -> NoReturn:
        raise LeaseError("this LeaseClient is sync: enter it with `with`, or use lease.LeaseClient for `async with`")

    async def __aexit__(self, *error: object) -> None:
        """Stand here for ``async with``, which looks for it first."""


def check_loop() -> None:
    """Raise `LeaseError` where no event loop of asyncio runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise LeaseError(
            "the async LeaseClient needs a running asyncio event loop, and there is none here (trio has its "
            "own): use lease.sync.LeaseClient, with trio in threads (trio.to_thread.run_sync)"
        ) from None
