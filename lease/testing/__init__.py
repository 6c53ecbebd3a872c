"""Test doubles for programs that use leases: a clock that a test moves, and a store in memory.

    clock = ManualClock()
    store = MemoryStore(clock)
    with lease.sync.LeaseClient(store=store, clock=clock) as client: ...

`MemoryStore` keeps the same contract as the databases (one conformance suite runs on all of them)
and can be made to fail.
"""

from .clock import ManualClock
from .store import MemoryStore

__all__ = ["ManualClock", "MemoryStore"]
