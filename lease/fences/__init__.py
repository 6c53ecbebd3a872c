"""The fence of a caller's own transaction, for each kind of connection that programs have (rule 11).

`fencing` is what users call, `proof` says what a fence refuses, and `unawaited` keeps one that nobody awaits
from being silent. `lease.database.foreign` reaches the connection.
"""

from .fencing import BOUND, AsyncKinds, SyncKinds, fence

__all__ = ["BOUND", "AsyncKinds", "SyncKinds", "fence"]
