"""The runs that a replica executes at this moment, each in a task of its own, and what became of those before."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from lease.client import Lease
from lease.errors import LeaseError

from ..definitions.schedule import Schedule
from ..execution.attempt import WorkOutlivesLease
from ..execution.claim import ClaimedRun
from ..execution.context import ReplicaContext
from ..execution.run_execution import RunExecution
from ..jobs.reports import Progress
from ..recovery.settle import settle_dead
from ..states import RunOutcome
from ..telemetry.facts import Note


@dataclass(frozen=True, slots=True)
class ExecutedRun:
    """A run that this replica has executed."""

    run_id: int
    outcome: RunOutcome


class RunsAtWork:
    """Starts runs, stops them, and counts how they end; ``changed`` is called whenever one has ended."""

    def __init__(
        self,
        context: ReplicaContext,
        schedules: Mapping[str, Schedule],
        places: int,
        changed: Callable[[], None],
    ) -> None:
        self.executed: list[ExecutedRun] = []
        self.failure: BaseException | None = None
        """Why this process must end: work that cannot be ended would outlive its lease (rule 9)."""
        self.failed = asyncio.Event()
        self.lost = 0
        """Runs that were lost with their leases."""
        self.refused = 0
        """Writes that changed no row, because the grant had ended."""
        self._context = context
        self._schedules = schedules
        self._places = places
        self._changed = changed
        self._executions: dict[asyncio.Task[None], RunExecution] = {}
        self._stopping = False

    def __len__(self) -> int:
        return len(self._executions)

    @property
    def free_places(self) -> int:
        """How many runs may be started."""
        return self._places - len(self._executions)

    @property
    def claimed(self) -> list[ClaimedRun]:
        """The runs at work, as they were claimed."""
        return [execution.claimed for execution in self._executions.values()]

    def start(self, claimed: ClaimedRun, lease: Lease) -> None:
        """Execute a run; after `stop` only to hand it back."""
        execution = RunExecution(self._context, self._schedules[claimed.schedule], claimed, lease)
        self._executions[asyncio.create_task(self._execute(execution, lease))] = execution
        if self._stopping:
            execution.stop()

    def stop(self) -> None:
        """Stop all jobs, those of later runs too, and hand their runs back."""
        self._stopping = True
        for execution in self._executions.values():
            execution.stop()

    async def one_ended(self) -> None:
        """Wait until one of the runs at work has ended, if there are any."""
        if self._executions:
            await asyncio.wait(self._executions, return_when=asyncio.FIRST_COMPLETED)

    def take_progress(self) -> dict[int, Progress]:
        """Return how far jobs have come since the last call, by the ids of their job runs."""
        return {id_: told for execution in self._executions.values() for id_, told in execution.take_progress().items()}

    def fail(self, error: BaseException) -> None:
        """Have this process end."""
        self.failure = error
        self.failed.set()
        self._changed()

    def refuse_to_outlive(self) -> None:
        """Have this process end where runs are still at work."""
        if self._executions and self.failure is None:
            names = ", ".join(sorted(f'"{run.schedule}"' for run in self.claimed))
            self.fail(
                WorkOutlivesLease(f"runs of {names} did not end: this process ends now, and their leases by themselves")
            )

    async def _execute(self, execution: RunExecution, lease: Lease) -> None:
        run_id = execution.claimed.run_id
        try:
            outcome = await execution.execute()
            self.executed.append(ExecutedRun(run_id, outcome))
            self.lost += outcome == "lost"
        except WorkOutlivesLease as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not keep the lease alive for ever
            self._context.notify(Note(f"run {run_id} ended by an error of leased itself: {error!r}"))
            await self._abandon(lease)
            self.executed.append(ExecutedRun(run_id, "failed"))
        finally:
            self.refused += execution.refused
            with suppress(LeaseError):
                await lease.release()
            self._executions.pop(asyncio.current_task(), None)  # type: ignore[arg-type]
            self._changed()

    async def _abandon(self, lease: Lease) -> None:
        """Count an attempt that an error of ours ended as an abandoned one; otherwise it would come again without end."""
        try:
            async with lease.ending():
                await self._context.database.write(lambda c: settle_dead(c, [lease.grant]))
        except Exception as error:  # noqa: BLE001 - then it is settled as one that lost its lease
            self._context.notify(Note(f"its attempt could not be settled: {error!r}"))
