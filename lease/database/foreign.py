"""Connections that are not the library's own: each kind that a program may have, as one that is sent statements.

A kind is known by the name of its class, so that no driver and no framework is loaded that a program does not use.
"""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import URL, Connection, Dialect, Executable, text
from sqlalchemy.util import await_only, greenlet_spawn

from ..errors import LeaseError, StoreUnavailable
from .backend import FILE_ITSELF, POSTGRESQL, SCHEMA, SQLITE, Backend, backend_named, backend_of
from .dialects import Instant
from .writer_gate import WriterGate, WriterGateBusy

T = TypeVar("T")
Rows = Sequence[Sequence[Any]]
IN_SAVEPOINT = (
    "fence must come before any savepoint: rolling back to one would drop it. Fence first in the transaction "
    '(in a test whose session joins one, use join_transaction_mode="rollback_only")'
)
_PATIENCE = 5.0
"""Seconds to wait for SQLite's writer gate."""
_IN_TRANSACTION = (2, 3)
"""libpq's PQTRANS_INTRANS and PQTRANS_INERROR."""


def _by_libpq(driver: Any) -> bool:
    return driver.info.transaction_status in _IN_TRANSACTION


def _by_protocol(driver: Any) -> bool:
    return bool(driver.is_in_transaction())


def _by_sqlite(driver: Any) -> bool:
    return bool(driver.in_transaction)


QUESTIONS: dict[str, Callable[[Any], bool]] = {
    "psycopg.Connection": _by_libpq,
    "psycopg.AsyncConnection": _by_libpq,
    "psycopg2.extensions.connection": _by_libpq,
    "asyncpg.connection.Connection": _by_protocol,
    "sqlite3.Connection": _by_sqlite,
    "aiosqlite.core.Connection": _by_sqlite,
}
"""By class of a driver: what says whether its connection is in a transaction, once a statement has been sent."""


class Sent(NamedTuple):
    """What came of a statement."""

    rows: Rows
    changed: int
    """How many rows it has changed, if it returns none."""


class Foreign:
    """A program's connection: where it leads, whether it is in a transaction, and what is sent over it.

    Its tables are in ``schema``; on SQLite in the file itself, as a TEMP table of the program's may have the name of one of
    ours.
    """

    begun_by = "engine.begin()"
    """How a program begins a transaction on it."""
    style = "pyformat"
    """How its driver has parameters, in the words of PEP 249; asyncpg's are "numeric_dollar"."""
    in_loop = False
    """It is used in an event loop, which must not be blocked."""

    def __init__(self, driver: Any, backend: Backend, there: URL, schema: str | None) -> None:
        self.driver = driver
        self.backend = backend
        self.there = there
        self.schema = FILE_ITSELF if backend.schema is None else schema or SCHEMA
        self._in_transaction = question_of(driver)

    def is_in_transaction(self) -> bool:
        return self._in_transaction(self.driver)

    def send(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sent:
        """Send a statement, with the values of its parameters."""
        raise NotImplementedError

    def written(self, statement: Any, values: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
        """Return the text of a statement as a driver takes it, and its values in the order of their places."""
        dialect = _dialect(self.backend, self.style)
        schemas = {"schema_translate_map": {None: self.schema}, "render_schema_translate": True}
        made = statement.compile(dialect=dialect, **schemas)
        given = {name: _as_bound(one, dialect) for name, one in made.construct_params(values).items()}
        return str(made), {name: given[name] for name in made.positiontup or given}

    def in_the_way(self) -> str | None:
        """Return why no fence can be sent now, if it is in a savepoint, say."""
        return None

    def file(self) -> str | None:
        """Return the path of an SQLite file; empty for one in memory, None where the database is no file."""
        if not self.backend.is_embedded:
            return None
        (_, _, file), *_ = self.send(text("PRAGMA database_list")).rows  # main; then those attached, and temp
        return str(file)

    @contextmanager
    def turn(self, file: str | None) -> Iterator[None]:
        """Wait for the turn to write to an SQLite ``file`` (None: nobody waits)."""
        if not file:
            yield
            return
        with WriterGate(file) as entrance:
            try:
                if self.in_loop:
                    await_only(entrance.pass_soon(_PATIENCE))
                else:
                    entrance.pass_within(_PATIENCE)
            except WriterGateBusy as busy:
                raise StoreUnavailable(str(busy)) from None
            yield


class OfSQLAlchemy(Foreign):
    """SQLAlchemy's connection, of whatever driver."""

    def __init__(self, connection: Connection, schema: str | None) -> None:
        driver = connection.connection.driver_connection
        super().__init__(driver, backend_of(connection), connection.engine.url, schema)
        self.in_loop = connection.dialect.is_async
        self._connection = connection

    def send(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sent:
        options: Any = {"schema_translate_map": {None: self.schema}}
        done = self._connection.execute(statement, values, execution_options=options)
        return Sent(done.all(), 0) if done.returns_rows else Sent((), done.rowcount)

    def in_the_way(self) -> str | None:
        return IN_SAVEPOINT if self._connection.in_nested_transaction() else None


class OfPsycopg(Foreign):
    """Psycopg's own connection."""

    begun_by = "connection.transaction()"

    def __init__(self, connection: Any, schema: str | None) -> None:
        super().__init__(connection, POSTGRESQL, _place(connection), schema)

    def cursor(self) -> Any:
        """Return a cursor of our own: the connection's may take other parameters, and make anything of a row."""
        from psycopg import Cursor, rows  # noqa: PLC0415 - the program has loaded it

        return Cursor(self.driver, row_factory=rows.tuple_row)

    def settled(self, answer: Any) -> Any:
        return answer

    def send(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sent:
        written, given = self.written(statement, values)
        cursor = self.cursor()
        self.settled(cursor.execute(written.encode(), given or None, prepare=False))
        return Sent(self.settled(cursor.fetchall()), 0) if cursor.description else Sent((), cursor.rowcount)

    def in_the_way(self) -> str | None:
        if not self.driver.info.pipeline_status:
            return None
        return "fence needs its answer at once, and a pipeline delays it: call it before the pipeline begins"


class OfAsyncPsycopg(OfPsycopg):
    def cursor(self) -> Any:
        from psycopg import AsyncCursor, rows  # noqa: PLC0415

        return AsyncCursor(self.driver, row_factory=rows.tuple_row)

    def settled(self, answer: Any) -> Any:
        return await_only(answer)


class OfPsycopg2(Foreign):
    def __init__(self, connection: Any, schema: str | None) -> None:
        super().__init__(connection, POSTGRESQL, _place(connection), schema)

    def send(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sent:
        from psycopg2.extensions import cursor as plain  # noqa: PLC0415

        with self.driver.cursor(cursor_factory=plain) as cursor:
            return _over_cursor(cursor, *self.written(statement, values))


class OfAsyncpg(Foreign):
    style = "numeric_dollar"

    def __init__(self, connection: Any, schema: str | None) -> None:
        super().__init__(connection, POSTGRESQL, URL.create(POSTGRESQL.name), schema)

    def send(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sent:
        written, given = self.written(statement, values)
        return Sent(await_only(self.driver.fetch(written, *given.values())), 0)


class OfSqlite3(Foreign):
    style = "named"

    def __init__(self, connection: Any, schema: str | None) -> None:
        super().__init__(connection, SQLITE, URL.create(SQLITE.name), schema)
        self.there = self.there.set(database=self.file() or ":memory:")

    def send(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sent:
        with closing(self.driver.cursor()) as cursor:
            cursor.row_factory = None  # theirs may make anything of a row
            return _over_cursor(cursor, *self.written(statement, values))


class OfDjango(Foreign):
    """Django's ``connection``."""

    begun_by = "transaction.atomic()"

    def __init__(self, connection: Any, schema: str | None) -> None:
        connection.ensure_connection()
        settings = connection.settings_dict
        there = URL.create(
            connection.vendor,
            settings["USER"] or None,
            host=settings["HOST"] or None,
            port=int(settings["PORT"]) if settings["PORT"] else None,
            database=str(settings["NAME"]),
        )
        super().__init__(connection.connection, backend_named(connection.vendor), there, schema)
        self._connection = connection

    def send(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sent:
        with self._connection.cursor() as cursor:
            return _over_cursor(cursor, *self.written(statement, values))

    def in_the_way(self) -> str | None:
        if not any(self._connection.savepoint_ids):
            return None
        return (
            "fence must come before any savepoint, in the outermost transaction.atomic(): rolling back to one would "
            "drop it (in a test, use TransactionTestCase: TestCase runs all in a transaction of its own)"
        )


def _over_cursor(cursor: Any, written: str, given: dict[str, Any]) -> Sent:
    cursor.execute(written, *([given] if given else []))
    return Sent(cursor.fetchall(), 0) if cursor.description else Sent((), cursor.rowcount)


def _place(connection: Any) -> URL:
    info = connection.info
    return URL.create(POSTGRESQL.name, info.user, host=info.host, port=info.port, database=info.dbname)


def _as_bound(value: Any, dialect: Dialect) -> Any:
    return Instant().process_bind_param(value, dialect) if isinstance(value, datetime) else value


@cache
def _dialect(backend: Backend, style: str) -> Dialect:
    """Return what writes statements with their parameters in a style of PEP 249."""
    from sqlalchemy.dialects import postgresql, sqlite  # noqa: PLC0415 - slow to import, and few programs need both
    from sqlalchemy.dialects.postgresql import asyncpg  # noqa: PLC0415

    kind: Any = sqlite if backend.is_embedded else asyncpg if style == "numeric_dollar" else postgresql
    made: Dialect = kind.dialect(paramstyle=style)
    return made


async def _of_scoped(sessions: Any, work: Callable[[Any], T]) -> T:
    done: T = await sessions().run_sync(work)
    return done


async def _of_sqlalchemy(given: Any, work: Callable[[Any], T]) -> T:
    done: T = await given.run_sync(work)
    return done


async def _of_driver(connection: Any, work: Callable[[Any], T]) -> T:
    return await greenlet_spawn(work, connection)


def _of_session(session: Any, schema: str | None) -> Foreign:
    return OfSQLAlchemy(session.connection(), schema)


@dataclass(frozen=True, slots=True)
class ForeignKind:
    """One kind of connection that programs have."""

    over: Callable[[Any, str | None], Foreign]
    """Of a connection of this kind, or of what stands for it in ``work``; and of the schema of our tables."""
    work: Callable[[Any, Callable[[Any], Any]], Coroutine[Any, Any, Any]] | None = None
    """Of an async kind: does the work with it that is written as for a sync one."""
    may_fence: bool = True


_SESSION, _DJANGO = ForeignKind(_of_session), ForeignKind(OfDjango)
KINDS = {
    "sqlalchemy.engine.base.Connection": ForeignKind(OfSQLAlchemy),
    "sqlalchemy.orm.session.Session": _SESSION,
    "sqlalchemy.orm.scoping.scoped_session": _SESSION,
    "sqlalchemy.ext.asyncio.engine.AsyncConnection": ForeignKind(OfSQLAlchemy, _of_sqlalchemy),
    "sqlalchemy.ext.asyncio.session.AsyncSession": ForeignKind(_of_session, _of_sqlalchemy),
    "sqlalchemy.ext.asyncio.scoping.async_scoped_session": ForeignKind(_of_session, _of_scoped),
    "psycopg.Connection": ForeignKind(OfPsycopg),
    "psycopg.AsyncConnection": ForeignKind(OfAsyncPsycopg, _of_driver),
    "psycopg2.extensions.connection": ForeignKind(OfPsycopg2, may_fence=False),
    "asyncpg.connection.Connection": ForeignKind(OfAsyncpg, _of_driver, may_fence=False),
    "sqlite3.Connection": ForeignKind(OfSqlite3, may_fence=False),
    "django.utils.connection.ConnectionProxy": _DJANGO,
    "django.db.backends.base.base.BaseDatabaseWrapper": _DJANGO,
}


def kind_of(connection: Any) -> ForeignKind | None:
    """Return the kind of a connection; None for what is none of these."""
    return next((KINDS[name] for name in names_of(connection) if name in KINDS), None)


def names_of(connection: Any) -> list[str]:
    return [f"{one.__module__}.{one.__qualname__}" for one in type(connection).__mro__]


def is_in_transaction(connection: Any) -> bool:
    """Return whether a connection of any kind that a fence takes has a transaction open; to ask begins none."""
    if hasattr(connection, "registry"):  # SQLAlchemy's scoped kinds
        return bool(connection.registry.has() and connection().in_transaction())
    if hasattr(connection, "in_atomic_block"):  # Django
        return bool(connection.in_atomic_block)
    if hasattr(connection, "in_transaction"):  # SQLAlchemy
        return bool(connection.in_transaction())
    return question_of(connection)(connection)


def question_of(driver: Any) -> Callable[[Any], bool]:
    """Return what says whether a driver's connection is in a transaction; `LeaseError` for a driver
    that cannot be asked.
    """
    for name in names_of(driver):
        if name in QUESTIONS:
            return QUESTIONS[name]
    raise LeaseError(
        f"fence cannot tell whether a connection of {type(driver).__module__} is in a transaction: "
        "use psycopg, psycopg2 or asyncpg, and on SQLite sqlite3 or aiosqlite"
    )
