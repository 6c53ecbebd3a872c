"""The tables that the full sync fills, and how to connect to them."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy import URL, BigInteger, Boolean, Column, Engine, Integer, MetaData, Table, Text, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from lease.database.address import parse_address

metadata = MetaData()

tz_zone = Table(
    "tz_zone",
    metadata,
    Column("name", Text, primary_key=True),
    Column("alias_of", Text),
    Column("utc_offset", Integer, nullable=False, comment="seconds east of UTC as 1970 began"),
    Column("dst", Boolean, nullable=False),
    Column("abbreviation", Text, nullable=False),
    Column("rule", Text, nullable=False, comment="for the time after the last transition, in POSIX notation"),
    Column("release", Text, nullable=False),
)

tz_transition = Table(
    "tz_transition",
    metadata,
    Column("zone", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False, comment="seconds since 1970, UTC"),
    Column("utc_offset", Integer, nullable=False, comment="seconds east of UTC from then on"),
    Column("dst", Boolean, nullable=False),
    Column("abbreviation", Text, nullable=False),
)

tz_country = Table("tz_country", metadata, Column("code", Text, primary_key=True), Column("name", Text, nullable=False))

tz_country_zone = Table(
    "tz_country_zone",
    metadata,
    Column("country", Text, primary_key=True),
    Column("zone", Text, primary_key=True),
    Column("comment", Text, nullable=False),
)


def database_url(*, for_async: bool = False) -> URL:
    """Return the URL of the database with leased's tables, as set by the replica; a fence works
    only there.
    """
    url = parse_address(os.environ.get("LEASED_DATABASE_URL", "sqlite:///leased.db"))
    if for_async and url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite+aiosqlite")
    return url


@contextmanager
def database() -> Iterator[Engine]:
    """Connect for the block, from a function or a script."""
    engine = create_engine(database_url())
    try:
        yield engine
    finally:
        engine.dispose()


@asynccontextmanager
async def async_database() -> AsyncIterator[AsyncEngine]:
    """Connect for the block, from an async function."""
    engine = create_async_engine(database_url(for_async=True))
    try:
        yield engine
    finally:
        await engine.dispose()
