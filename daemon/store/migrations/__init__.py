"""The tables of both packages: made, brought up to date, and checked, on PostgreSQL and SQLite.

Everything here is sync; an async program calls it in a thread. `check` takes a connection too.
"""

from ...errors import SchemaNotReady
from .state import SchemaTooNew, SchemaTooOld, TablesMissing, check, current
from .upgrading import sql, upgrade

__all__ = ["SchemaNotReady", "SchemaTooNew", "SchemaTooOld", "TablesMissing", "check", "current", "sql", "upgrade"]
