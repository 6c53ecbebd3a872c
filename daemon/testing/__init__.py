"""For the tests of programs that define schedules: a replica that a test moves tick by tick, on a clock that the test sets.

Nothing runs until the test says so, no server is needed, and no test waits for the time of day:

    from daemon.testing import ManualReplica, ManualStore, run_once

    async def test_the_nightly_sync_runs_at_two():
        async with ManualStore("2026-07-01T01:59:00Z") as store, ManualReplica(store, schedules) as replica:
            assert await replica.work() == []                   # nothing is due
            store.clock.advance("1m")
            (run,) = await replica.work()                       # plans, claims and executes what is due
            assert run.state == "succeeded"

    def test_the_nightly_sync():
        assert run_once(schedules, "daily-full-sync", at="2026-07-01T02:00:00Z").state == "succeeded"

It is the replica of `leased run`, with its leases, its tables and its rules; only the database is a file of SQLite that lives as
long as the store, the time of day is the test's, and functions run in this process, so that a test can patch what they call.
Commands run as they do elsewhere. Leases and timeouts go by real time. docs/how-to/test-your-schedules.md says more.
"""

from .clock import ManualTimeOfDay
from .misuse import Misuse
from .replica import ManualReplica
from .run_once import run_once
from .store import ManualStore

__all__ = ["ManualReplica", "ManualStore", "ManualTimeOfDay", "Misuse", "run_once"]
