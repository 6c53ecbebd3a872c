"""Migrations: create, upgrade and check the tables of both packages on PostgreSQL and SQLite.

Everything here is synchronous; an async program calls it in a thread.
"""

from .state import SchemaTooNew, SchemaTooOld, TablesMissing, check, current, prepare, sql, upgrade

__all__ = ["SchemaTooNew", "SchemaTooOld", "TablesMissing", "check", "current", "prepare", "sql", "upgrade"]
