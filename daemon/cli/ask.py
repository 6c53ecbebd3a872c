"""The database of a command: one question to it, and what a name stands for there: a schedule, its zone, or a run of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from lease.database.address import parse_address
from lease.database.backend import backend_of
from lease.database.database import OwnDatabase, Unit
from lease.database.opening import open_database
from lease.errors import StoreUnavailable

from ..service.settings import read_settings
from ..store import migrations
from ..store.views.names import RunMeant, application_of, require_schedule, runs_meant, timezone_of
from .failures import Misused, NoDatabase, report
from .options import local_zone, number_if_any
from .screen import say, screen, write_json

T = TypeVar("T")
PATIENCE = 10.0
"""How many seconds a command waits for the database."""
_EVERY = 1.0
"""The seconds after which a command that goes on looks again."""


def ask(database: str | None, unit: Unit[T], *, write: bool = False, patience: float = PATIENCE) -> T:
    """Run ``unit`` on the database of the flag, or otherwise of the settings; return its result.

    Create no file. Raise `NoDatabase`, `StoreUnavailable`, or `SchemaNotReady` if the tables are
    not those of this version.
    """
    return ask_url(read_settings({"database_url": database}).database, unit, write=write, patience=patience)


def ask_url(url: str, unit: Unit[T], *, write: bool = False, patience: float = PATIENCE) -> T:
    """Run ``unit`` on the database at ``url`` and return its result; see `ask`."""

    async def asked() -> T:
        async with _opened(url) as database:
            do = database.write if write else database.read
            return await do(_checked(unit), timeout=patience)

    return asyncio.run(asked())


def act(
    database: str | None, unit: Unit[T], answer: str, sentence: Callable[[T], str], *, as_json: bool, hang: int = 0
) -> None:
    """Run ``unit``, which writes, and write its result: as the JSON of this ``answer``, or as a sentence."""
    done = ask(database, unit, write=True)
    if as_json:
        write_json(answer, done)
    else:
        say(screen(), sentence(done), hang=hang)


def _tell(error: StoreUnavailable) -> None:
    report(f"{error}; trying again", "database", as_json=False, what="warning")


def ask_again(
    database: str | None,
    unit: Unit[T],
    goes_on: Callable[[T], bool],
    *,
    rest: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(_EVERY),
    away: Callable[[StoreUnavailable], None] = _tell,
) -> None:
    """Run ``unit``, which reads, as long as ``goes_on`` says so of its result; by default once a second.

    An outage after the first time is waited for, and reported once.
    """
    url = read_settings({"database_url": database}).database

    async def asked() -> None:
        async with _opened(url) as opened:
            is_away, more = False, goes_on(await opened.read(_checked(unit)))
            while more:
                await rest()
                try:
                    more, is_away = goes_on(await opened.read(unit)), False
                except StoreUnavailable as error:
                    if not is_away:
                        away(error)
                    is_away = True

    asyncio.run(asked())


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[OwnDatabase]:
    """Open a database for the block; raises `NoDatabase` rather than let a file be created."""
    address = parse_address(url)
    file = backend_of(address).file(address)
    if file is not None and not Path(file).exists():  # noqa: ASYNC240 - this loop has nothing else to do
        raise NoDatabase(
            f'there is no database file "{file}"; create it with `leased run FILE`, or name another '
            "with --database or LEASED_DATABASE_URL"
        )
    opened = open_database(address, timeout=PATIENCE, application="leased command")
    try:
        yield opened
    finally:
        await opened.close()


def _checked(unit: Unit[T]) -> Unit[T]:
    def checked(connection: Connection) -> T:
        migrations.check(connection)
        return unit(connection)

    return checked


def run_given(database: str | None, text: str, application: str | None, meant: RunMeant) -> int:
    """Return the number of the run that ``text`` stands for: a number is that of a run, and all else the name of a
    schedule. Raises `Misused` and `NotFound`.
    """
    if (run_id := number_if_any(text, application)) is not None:
        return run_id

    def read(connection: Connection) -> list[int]:
        require_schedule(connection, text, application)
        return runs_meant(connection, application_of(connection, text, application), text, meant)

    found = ask(database, read)
    if len(found) > 1:
        those = ", ".join(map(str, found))
        remedy = "name one by its number, or use --schedule NAME for all of them"
        raise Misused(f'several runs of "{text}" are active, the latest are {those}; {remedy}')
    return found[0]


def zone_of(database: str | None, schedule: str | None, application: str | None) -> Callable[[], str]:
    """Return a function that returns the time zone of a schedule, which it asks the database for, or of this terminal if
    none is named.
    """
    if schedule is None:
        return local_zone

    def read(connection: Connection) -> str:
        require_schedule(connection, schedule, application)
        return timezone_of(connection, application_of(connection, schedule, application), schedule)

    return lambda: ask(database, read)
