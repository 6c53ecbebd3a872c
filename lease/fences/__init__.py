"""The fence of a caller's own transaction, for each kind of connection that programs have (rule 11).

`fencing` chooses by the kind, `of_sqlalchemy`, `of_psycopg` and `of_django` reach the connection,
`proof` says what a fence refuses, and `unawaited` keeps one that nobody awaits from being silent.
"""

from .fencing import BOUND, AsyncKinds, SyncKinds, fence

__all__ = ["BOUND", "AsyncKinds", "SyncKinds", "fence"]
