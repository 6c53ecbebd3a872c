"""Test doubles for programs that use leases: a clock that a test moves, and a store in memory.

    leases = ManualLeases()  # or the fixture of `lease.testing.plugin`
    with leases.client() as client, client.hold("report") as held:
        leases.advance("1h")  # renewed all the while
        held.ensure()

`MemoryStore` keeps the same contract as the databases (one conformance suite runs on all of them).
No test waits for real seconds: what is due happens when the clock is moved.
"""

from .clock import ManualClock
from .leases import ManualLeases
from .store import MemoryStore

__all__ = ["ManualClock", "ManualLeases", "MemoryStore"]
