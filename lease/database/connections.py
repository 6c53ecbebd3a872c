"""Our own connections: what they are made with, as a user's engine says, and transactions."""

import asyncio
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only

from ..errors import LeaseError, StoreUnavailable
from ..private import connect_arguments
from .address import Address, parse_address, schema_in, without_schema
from .backend import ConnectionSettings, backend_of
from .forks import refuse_after_fork
from .held.statement import OWN
from .writer_gate import WriterGate

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

Hook = Callable[[Any, Any, list[Any], dict[str, Any]], Any]
"""A listener to "do_connect", which may change what a connection is made with."""


def refusal(what: Iterable[str]) -> LeaseError:
    """Return the error about an engine that cannot be connected like."""
    return LeaseError(
        f"LeaseClient makes its own connections, and cannot take over {', '.join(what)} from this engine: "
        "give it a URL that says how to connect, such as postgresql://user@host/name?sslmode=verify-full&sslrootcert=ca.pem"
    )


@dataclass(slots=True)
class Route:
    """A database, and what each connection to it is made with: that of an engine."""

    url: URL
    _dialect: Dialect
    _given: Mapping[str, Any] = field(repr=False)
    """The driver's arguments: from the engine's URL, and its ``connect_args``."""
    _hooks: tuple[Hook, ...]
    identity: str | None = None
    """Which database the latest connection led to (`lease.database.address`); None until it is known."""

    async def arguments(self, settings: ConnectionSettings) -> dict[str, Any]:
        """Return the driver's arguments for a connection made now; `LeaseError` names what cannot be carried over."""
        given = dict(self._given)
        if self._hooks:  # they are the user's, and may block
            await asyncio.get_running_loop().run_in_executor(None, self._change, given)
        words, unknown = backend_of(self.url).words(given)
        if unknown:
            raise refusal(unknown)
        return words | backend_of(self.url).options(settings)

    def _change(self, arguments: dict[str, Any]) -> None:
        """Have the engine's hooks change the arguments for a connection made now.

        A hook may take its time (a token is fetched, say). Raises `LeaseError` for one that made a connection itself.
        """
        for hook in self._hooks:
            try:
                made = hook(self._dialect, None, [], arguments)
            except Exception as error:
                raise StoreUnavailable(f'a "do_connect" listener of the engine failed: {error!r}') from error
            if made is not None:
                made.close()
                raise refusal(['a "do_connect" listener that makes the connection itself'])


def route_to(address: Address, schema: str | None = None) -> Route:
    """Return the route to a database: that of a URL, or that of an engine, with all it connects with.

    Raises `LeaseError` for what cannot be connected to as the engine does.
    """
    url = parse_address(address, schema)
    engine = create_engine(without_schema(url)) if isinstance(address, str | URL) else address
    sync: Engine = engine if isinstance(engine, Engine) else engine.sync_engine
    try:
        arguments = connect_arguments(sync.pool)
    except LookupError:
        raise refusal(["its connect_args, which this version of SQLAlchemy keeps elsewhere"]) from None
    if arguments is None:
        raise refusal(["the function that connects for it (creator, async_creator, or a pool of its own)"])
    _, unknown = backend_of(url).words(arguments)
    hooks = tuple(sync.dialect.dispatch.do_connect)
    if hooks:
        # What they make of the arguments is known with each connection.
        unknown = ['its "do_connect" listener'] if backend_of(url).is_embedded else []
    if unknown and isinstance(address, str | URL):
        raise LeaseError(
            f"the database's URL has the parameter {unknown[0]}, which PostgreSQL's driver does not accept; leave it out"
        )
    if unknown:
        raise refusal(unknown)
    return Route(url, sync.dialect, arguments, hooks)


def make_engine(url: URL, settings: ConnectionSettings) -> Engine:
    """Return a sync engine without a pool: each connection is made for one use, or held by its user."""
    engine = create_engine(without_schema(url), **_options(url, settings))
    if (file := backend_of(url).file(url)) is not None:
        from .file_connection import FileConnection  # noqa: PLC0415 - its driver is loaded only where it is used

        @event.listens_for(engine, "do_connect")
        def prepare(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
            refuse_after_fork()
            _make_private(file)
            parameters["factory"] = FileConnection

        @event.listens_for(engine, "connect")
        def be_durable(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA synchronous = FULL").close()  # some are built to lose commits with the power

    return engine


def make_async_engine(route: Route, settings: ConnectionSettings) -> "AsyncEngine":
    """Return an async engine; see `make_engine`."""
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - it loads SQLAlchemy's ORM

    engine = create_async_engine(route.url.set(query={}), **_options(route.url, settings))

    @event.listens_for(engine.sync_engine, "do_connect")
    def take_the_route(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        parameters |= await_only(route.arguments(settings))

    return engine


def engine_for_libpq(url: URL) -> Engine:
    """Return an engine that never connects, for compiling statements as libpq takes them: parameters $1, $2 …"""
    engine = create_engine(without_schema(url), paramstyle="numeric_dollar", **_options(url, ConnectionSettings()))
    return engine.execution_options(**{OWN: {}})


@contextmanager
def connected(url: URL, settings: ConnectionSettings) -> Iterator[Connection]:
    """Give one connection, made for the block and closed after it."""
    with make_engine(url, settings).connect() as connection:
        yield connection


@contextmanager
def write_transaction(connection: Connection, patience: float) -> Iterator[None]:
    """Begin a transaction, and commit it after the block, or roll it back if that raises.

    Waits for its turn at most ``patience`` seconds; `WriterGateBusy` says that this took longer.
    """
    file = backend_of(connection).file(connection.engine.url)
    if file is None:
        with connection.begin():
            yield
        return
    with WriterGate(file) as entrance:
        entrance.pass_within(patience)
        driver: Any = connection.connection.driver_connection
        driver.execute("BEGIN IMMEDIATE")
    try:
        yield
        driver.execute("COMMIT")
    except BaseException:
        driver.rollback()
        raise


def use_wal(driver: Any, file: str, patience: float) -> None:
    """Turn a file of SQLite to WAL, where readers and the writer do not hold each other up."""
    if driver.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        # Two that do it to a new file at once can collide without waiting.
        with WriterGate(file) as entrance:
            entrance.pass_within(patience)
            driver.execute("PRAGMA journal_mode = WAL")


def _make_private(file: str) -> None:
    """Make a missing file for its owner alone, as what it holds may be secret; SQLite gives the files
    beside it the same rights. One that is there keeps its own.
    """
    with suppress(OSError):  # that it is there, or can't be made: SQLite says the latter
        if sys.platform == "linux":  # without opening it: to close it would drop the locks of another thread's SQLite
            os.mknod(file, 0o600 | stat.S_IFREG)
        else:
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _options(url: URL, settings: ConnectionSettings) -> dict[str, Any]:
    backend = backend_of(url)
    return {
        "poolclass": NullPool,
        "hide_parameters": True,  # in errors: some are what people keep secret
        "isolation_level": backend.isolation,
        "connect_args": backend.options(settings),
        "execution_options": {"schema_translate_map": {None: schema_in(url)}} if backend.schema else {},
    }
