"""The database of a command: one question to it, and the preparation of its tables."""

import asyncio
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from lease.database.address import parse_address
from lease.database.backend import backend_of
from lease.database.database import Unit
from lease.database.opening import open_database

from ..service.settings import read_settings
from ..store import migrations
from .failures import NoDatabase

T = TypeVar("T")
PATIENCE = 10.0
"""How many seconds a command waits for the database."""


def ask(database: str | None, unit: Unit[T], *, write: bool = False, patience: float = PATIENCE) -> T:
    """Run ``unit`` on the database of the flag, or otherwise of the settings; return its result.

    Create no file. Raise `NoDatabase`, `StoreUnavailable`, or `SchemaNotReady` if the tables are
    not those of this version.
    """
    return ask_url(read_settings({"database_url": database}).database, unit, write=write, patience=patience)


def ask_url(url: str, unit: Unit[T], *, write: bool = False, patience: float = PATIENCE) -> T:
    """Run ``unit`` on the database at ``url`` and return its result; see `ask`."""
    address = parse_address(url)
    file = backend_of(address).file(address)
    if file is not None and not Path(file).exists():
        raise NoDatabase(
            f'there is no database file "{file}"; create it with `leased run FILE`, or name another '
            "with --database or LEASED_DATABASE_URL"
        )

    def checked(connection: Connection) -> T:
        migrations.check(connection)
        return unit(connection)

    async def asked() -> T:
        opened = open_database(address, timeout=PATIENCE, application="leased command")
        try:
            do = opened.write if write else opened.read
            return await do(checked, timeout=patience)
        finally:
            await opened.close()

    return asyncio.run(asked())


def prepare(url: str) -> None:
    """Create or migrate the tables of an embedded database; check those of any other.

    Call it before anything is started.
    """
    if backend_of(parse_address(url)).is_embedded:
        migrations.upgrade(url)
    else:
        migrations.check(url)
