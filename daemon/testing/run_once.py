"""One run of a schedule, for tests that are not async."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..store.views.history import RunDetail
from .definitions import Definitions
from .misuse import Misuse
from .replica import ManualReplica
from .store import ManualStore


def run_once(
    schedules: Definitions,
    name: str,
    *,
    at: str | datetime = "2026-01-01T00:00:00Z",
    params: Mapping[str, Any] | None = None,
) -> RunDetail:
    """Trigger a schedule at that time, run it at once, and return the run; not for async tests."""

    async def whole() -> RunDetail:
        async with ManualStore(at) as store, ManualReplica(store, schedules) as replica:
            return await replica.run_once(name, params)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(whole())
    raise Misuse("run_once runs its own event loop: in an async test use a ManualReplica and its run_once")
