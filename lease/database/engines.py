"""Opening a database of either kind."""

from .address import Address, parse_address
from .database import Database
from .postgresql import PostgresqlDatabase
from .sqlite import SqliteDatabase


def open_database(address: Address, *, timeout: float, connections: int = 2, application: str = "leased") -> Database:
    """Return a `lease.database.database.Database`; nothing is connected yet.

    ``timeout`` bounds each attempt, in seconds, connecting included. Use it from one event loop only.
    """
    url = parse_address(address)
    if url.get_backend_name() == "sqlite":
        return SqliteDatabase(url, timeout=timeout, connections=connections)
    return PostgresqlDatabase(url, timeout=timeout, connections=connections, application=application)
