"""Tools to test schedules: a replica that a test moves tick by tick, on a clock that the test sets.

Nothing runs until the test says so, no server is needed, and no test waits for the time of day:

    from daemon.testing import ManualReplica, ManualStore, run_once

    async def test_the_nightly_sync_runs_at_two():
        store = ManualStore("2026-07-01T01:59:00Z")
        async with store, ManualReplica(store, schedules) as replica:
            assert await replica.work() == []          # nothing is due
            store.clock.advance("1m")
            (run,) = await replica.work()              # plans, claims and executes what is due
            assert run.state == "succeeded"

    def test_the_nightly_sync():
        run = run_once(schedules, "daily-full-sync", at="2026-07-01T02:00:00Z")
        assert run.state == "succeeded"

It is the replica of `leased run`, with its leases, tables and rules. Three things differ: the database is a temporary
SQLite file, the time of day is the test's, and functions run in this process, so that a test can patch what they call.
Commands run as usual. Leases and timeouts use real time. docs/how-to/schedules/test-your-schedules.md says more.
"""

from .replica import ManualReplica, run_once
from .store import ManualStore, ManualTimeOfDay, Misuse

__all__ = ["ManualReplica", "ManualStore", "ManualTimeOfDay", "Misuse", "run_once"]
