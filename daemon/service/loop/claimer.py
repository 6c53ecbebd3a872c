"""The claims of a replica: as many runs as there are places for, with the ends of others (rules 2, 4 and 15)."""

from collections.abc import Callable

from sqlalchemy import Connection

from ...execution.claim import ClaimedRun, claim
from ...execution.context import ReplicaContext
from ...execution.writes.lane import MOST
from ...scheduling.deploys.required_revision import RequiredRevision
from .runs_at_work import RunsAtWork


class Claimer:
    """Claims runs while ``may_claim``, and starts them."""

    def __init__(
        self, context: ReplicaContext, runs: RunsAtWork, may_claim: Callable[[], bool], required: RequiredRevision
    ) -> None:
        self._context = context
        self._runs = runs
        self._may_claim = may_claim
        self._required = required
        self._read()
        context.rows.on_change(self._read)

    def _read(self) -> None:
        schedules = self._context.rows.application.schedules
        self._first_jobs = {schedule.name: schedule.jobs[0].name for schedule in schedules if schedule.jobs}

    async def fill(self) -> bool:
        """Claim as many runs as there are places; return whether all were filled: there may be more then."""
        client, application = self._context.client, self._context.application.name
        known, asked = self._runs.claimable(), 0
        higher = self._required.higher

        def places(ending: int) -> int:
            nonlocal asked
            asked = min(MOST, self._runs.free_places + ending) if self._may_claim() else 0
            return asked

        def transaction(connection: Connection, limit: int) -> list[ClaimedRun]:
            nonlocal higher
            higher = self._required.look(connection)
            if higher is not None:
                return []
            who = (client.holder, client.label, client.timing.ttl)
            return claim(connection, application, known, *who, limit, self._first_jobs) if limit > 0 else []

        async with client.acquiring() as acquisition:
            claimed = await self._context.lane.claim(transaction, places)
            leases = await acquisition.adopt([run.grant for run in claimed])
        self._required.take(higher)
        for run, lease in zip(claimed, leases, strict=True):
            self._runs.start(run, lease)
        return 0 < asked == len(claimed)
