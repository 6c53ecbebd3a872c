"""The watch for cancelled runs: a replica asks whether runs at work in it were marked (rule 23), or somebody asks for a
look at them (`leased stack`), which is answered through the database.
"""

import asyncio
import json
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from lease.errors import StoreUnavailable

from ..store import statements
from ..telemetry.facts import Note
from .context import ReplicaContext
from .run_execution import RunExecution


@dataclass(eq=False)
class CancelWatch:
    """The watch, which runs until it is cancelled, also while the replica drains.

    It asks as often as leases are renewed, and when it is told that one was marked, in one query by the
    keys of the runs ``at_work``, and calls ``cancel(run id, by, why)`` for each that is marked, and ``answer(run id, by)``
    for each that somebody asks about.
    """

    context: ReplicaContext
    at_work: Callable[[], Collection[int]]
    cancel: Callable[[int, str, str | None], None]
    answer: Callable[[int, str], None] = lambda _run_id, _by: None
    _told: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def wake(self) -> None:
        self._told.set()

    async def watch(self) -> None:
        """Ask every `renew_every` seconds; ask nothing while no run is at work."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.context.client.timing.renew_every):
                    await self._told.wait()
            self._told.clear()
            try:
                await self.look()
            except StoreUnavailable:  # asked again with the next renewal, or the lease is lost
                continue
            except Exception as error:  # noqa: BLE001 - without the watch, no cancel would be heard any more
                self.context.notify(Note(f"internal error in leased; runs continue: {error!r}", is_warning=True))

    async def look(self) -> None:
        ids = list(self.at_work())
        if not ids:
            return
        for row in await self.context.database.read(lambda c: statements.run.find_told(c, ids)):
            if row.cancelled_at is not None:
                self.cancel(row.id, row.cancelled_by, row.cancelled_why)
            if row.look_asked_by is not None:
                self.answer(row.id, row.look_asked_by)


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
            await self._context.database.write(lambda c: statements.run.answer_look(c, run_id, grant, text))
        except StoreUnavailable:  # whoever asked hears nothing, and the next look is asked for again
            pass
        except Exception as error:  # noqa: BLE001 - a look must not harm what it looks at
            self._context.notify(Note(f"internal error in leased; runs continue: {error!r}", is_warning=True))
        finally:
            del self._tasks[run_id]
