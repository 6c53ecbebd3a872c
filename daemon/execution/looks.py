"""The looks that people ask for at what a run at work does (`leased stack`): asked and answered through the database."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict

from lease.errors import StoreUnavailable

from ..store import statements
from ..telemetry.facts import Note
from .context import ReplicaContext
from .run_execution import RunExecution


class Looks:
    """Answers in tasks of its own, one for each run at a time; no job waits for them."""

    def __init__(self, context: ReplicaContext, execution: Callable[[int], RunExecution | None]) -> None:
        self._context = context
        self._execution = execution
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def take(self, run_id: int, by: str) -> None:
        """Look at a run at work for ``by``, unless that is under way."""
        execution = self._execution(run_id)
        if execution is None or run_id in self._tasks:
            return
        self._context.notify(Note(f"{by} asked for the stack of run {run_id}"))
        self._tasks[run_id] = asyncio.create_task(self._answer(run_id, execution))

    async def _answer(self, run_id: int, execution: RunExecution) -> None:
        try:
            seen = await execution.seen()
            text = json.dumps(None if seen is None else asdict(seen))
            grant = execution.claimed.grant
            await self._context.database.write(lambda c: statements.looks.answer(c, run_id, grant, text))
        except StoreUnavailable:  # whoever asked hears nothing, and the next look is asked for again
            pass
        except Exception as error:  # noqa: BLE001 - a look must not harm what it looks at
            self._context.notify(Note(f"internal error in leased; runs continue: {error!r}", is_warning=True))
        finally:
            del self._tasks[run_id]
