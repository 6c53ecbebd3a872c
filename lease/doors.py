"""The doors by which the two clients are not entered, each with a sentence that names the right one."""

import asyncio
from typing import NoReturn

from .errors import LeaseError


class AsyncDoor:
    """The door of the async client, for those who come to it as to the sync one, or without asyncio."""

    def __enter__(self) -> NoReturn:
        raise LeaseError("this LeaseClient is async: enter it with `async with`, or use lease.sync.LeaseClient")

    def __exit__(self, *error: object) -> None:
        """Stand here for ``with``, which looks for it first."""


class SyncDoor:
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
