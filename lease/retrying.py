"""Calls to the store, asked again when it is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from .errors import StoreUnavailable
from .timing import LeaseTiming

T = TypeVar("T")

_ATTEMPTS = 3
"""How many times a call that does not wait asks the database before it reports that it is away."""


async def retried(call: Callable[[], Awaitable[T]], timing: LeaseTiming) -> T:
    """Return what ``call`` returns; `StoreUnavailable` when each of a few attempts, `retry_wait`
    apart, raised it.
    """
    try:
        return await call()  # nearly always; setting up to try again costs as much as a call
    except StoreUnavailable:
        await asyncio.sleep(timing.retry_wait)
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailable),
        stop=stop_after_attempt(_ATTEMPTS - 1),
        wait=wait_fixed(timing.retry_wait),
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            return await call()
    raise AssertionError  # the last attempt's error is raised
