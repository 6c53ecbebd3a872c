"""Where a database is: the URL that users give, in the form that the library's own connections use."""

from pathlib import Path

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine

from ..errors import LeaseError

Address = str | URL | Engine | AsyncEngine
"""A URL as it comes (``postgres://``, ``postgresql://``, ``sqlite:///``), or an engine, whose URL is taken."""


def parse_address(address: Address) -> URL:
    """Return the URL with this library's drivers: psycopg 3, or the standard library's sqlite3.

    Raises `LeaseError`, with no password in it, for what cannot be used.
    """
    if isinstance(address, (Engine, AsyncEngine)):
        url = address.url
    else:
        try:
            url = make_url(address)
        except (ArgumentError, ValueError):
            raise LeaseError(
                "the database's URL cannot be read; write postgresql://user:password@host/name or sqlite:///file.db"
            ) from None
    kind = url.get_backend_name()
    if kind in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if kind == "sqlite":
        return _sqlite(url)
    raise LeaseError(f"{kind} is not supported; use PostgreSQL (postgresql://…) or SQLite (sqlite:///file.db)")


def _sqlite(url: URL) -> URL:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise LeaseError("SQLite needs a file that several connections can share; write sqlite:///file.db")
    return url.set(drivername="sqlite+pysqlite", database=str(Path(url.database).expanduser().absolute()))


def describe(url: URL) -> str:
    """Return the URL for people: without password and driver."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{url.database}"
    plain = url.set(drivername=url.get_backend_name(), query={})
    return plain.render_as_string(hide_password=True)


def plain_url(address: Address) -> str:
    """Return the URL as other programs take it: an absolute path, no driver, and the password in it."""
    url = parse_address(address)
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)
