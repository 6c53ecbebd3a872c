"""Which database a connection leads to, by what a copy of it does not carry.

PostgreSQL: the server's system identifier, which its standbys share and nothing restored from a dump does, and the
database's OID, which a copy on the same server does not share. Both outlive a failover and are the same through a
pooler. SQLite: the device and the inode of the file.
"""

from contextlib import suppress
from pathlib import Path
from typing import LiteralString

_MAY_ASK: LiteralString = "pg_catalog.has_function_privilege('public', 'pg_catalog.pg_control_system()', 'execute')"
_SYSTEM: LiteralString = "(pg_catalog.pg_control_system()).system_identifier"
# The path of a file of this database (pg_class, 1259 on every server), as base/16384/1259: half the price of a look into pg_database.
_DATABASE: LiteralString = "pg_catalog.split_part(pg_catalog.pg_relation_filepath(1259), '/', -2)"
_WITHOUT_SYSTEM: LiteralString = f"pg_catalog.concat('/', {_DATABASE})"
_WITH_SYSTEM: LiteralString = f"pg_catalog.concat({_SYSTEM}, '/', {_DATABASE})"
IDENTITY: LiteralString = f"CASE WHEN {_MAY_ASK} THEN {_WITH_SYSTEM} ELSE {_WITHOUT_SYSTEM} END"
"""SQL for the identity. Without the server's part where not every role may read that, since those of the programs that
fence must; it is refused to a role that may not read it itself.
"""
OF_A_DATABASE: LiteralString = _WITHOUT_SYSTEM
"""SQL for the identity without the server's part, which any role may read."""


def same_identity(identity: str, parameter: str) -> str:
    """Return SQL for whether a connection leads to the database of ``identity``, which ``parameter`` has."""
    here = _WITHOUT_SYSTEM if identity.startswith("/") else _WITH_SYSTEM
    return f"{here} = CAST({parameter} AS text)"


def identity_of(file: tuple[int, int]) -> str:
    """Return the identity of a file of SQLite: of its device and inode."""
    return "{}:{}".format(*file)


def identity_at(path: str) -> str | None:
    """Return the identity of the file that is at ``path`` now."""
    with suppress(FileNotFoundError):
        found = Path(path).stat()
        return identity_of((found.st_dev, found.st_ino))
    return None
