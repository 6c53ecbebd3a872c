"""Schedules whose old runs go at once, step by step, while the gate ``prune`` is open; their work is none.

On PostgreSQL the pruner's transactions have its name."""

import os
from typing import TypeVar

from sqlalchemy import Connection

from daemon import AsyncRun, Schedules
from daemon.pruning import pruner
from lease.client import Lease
from lease.database.database import Unit
from tests.support.telling import NEVER, opens

T = TypeVar("T")

schedules = Schedules("pruning", keep={"days": 30})


async def nothing(run: AsyncRun) -> None:
    pass


for number in range(int(os.environ["STORY_SCHEDULES"])):
    schedules.add(f"s{number:03}", cron=NEVER).job(name="nothing")(nothing)

pruner.EVERY, pruner.FIRST_AFTER = 1.0, (0.0, 0.0)
_resting = pruner.Pruner._resting


async def _gated(self: pruner.Pruner, held: Lease, unit: Unit[T]) -> T:
    await opens("prune")

    def named(connection: Connection) -> T:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL application_name = 'pruner'")
        return unit(connection)

    return await _resting(self, held, named)


pruner.Pruner._resting = _gated  # type: ignore[method-assign]
