"""The address of a database: the URL that users give, in the form that the library's own
connections use, and the schema of our tables in it. And which database a connection leads to.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, Union

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError

from ..errors import LeaseError
from .backend import NAMES, OURS_OF_SQLITE, SCHEMA, backend_of, in_words_of_libpq

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

# A string for the last: importing the class would load SQLAlchemy's ORM.
Address = Union[str, URL, Engine, "AsyncEngine"]
"""A URL as it comes (``postgres://``, ``postgresql://``, ``sqlite:///``), or an engine
(`lease.database.connections.route_to` follows it).
"""

_SCHEMA = "schema"
"""The parameter of a URL that names the schema of our tables; no driver hears of it."""
_LONGEST_NAME = 63
"""Characters: PostgreSQL cuts off what is longer."""


def parse_address(address: Address, schema: str | None = None) -> URL:
    """Return the URL with this library's drivers: psycopg 3, or the standard library's sqlite3.

    The tables are in ``schema``, which is then a parameter of the URL. Raises `LeaseError`, with no
    password in it, for what cannot be used.
    """
    try:
        url = make_url(address if isinstance(address, str | URL) else address.url)
    except (ArgumentError, AttributeError, ValueError):
        raise LeaseError(
            "the database's URL cannot be read; write postgresql://user:password@host/name or sqlite:///file.db, "
            "with %40 for an @ in the password, %3A for a : and so on"
        ) from None
    if _is_torn(url):
        raise LeaseError(
            "the database's URL has too many @, perhaps in an unencoded password: write %40 for each @ in user and password"
        )
    backend = backend_of(url)
    url = (_with_path(url) if backend.is_embedded else _with_sslmode(url)).set(drivername=backend.driver)
    return _in_schema(url, schema)


def schema_in(url: URL) -> str | None:
    """Return the schema of our tables; None where there are no schemas."""
    return str(url.query[_SCHEMA]) if _SCHEMA in url.query else backend_of(url).schema


def without_schema(url: URL) -> URL:
    return url.difference_update_query([_SCHEMA])


def _in_schema(url: URL, schema: str | None) -> URL:
    given = url.query.get(_SCHEMA)
    if schema is not None and given not in (None, schema):
        raise LeaseError(
            f"the database's URL has schema={given}, but the schema {schema!r} is given too; leave one of them out"
        )
    wanted = given if schema is None else schema
    if wanted is None:
        return url
    if backend_of(url).schema is None:
        raise LeaseError("SQLite has no schemas; leave the schema out")
    return url.update_query_dict({_SCHEMA: checked_schema(wanted)})


def checked_schema(name: str | tuple[str, ...]) -> str:
    """Return the name of a schema; raises `LeaseError` for what cannot be one."""
    if not isinstance(name, str):
        raise LeaseError("the database's URL names several schemas; name one")
    if (
        not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
        or name.lower().startswith("pg_")
        or name == "information_schema"
    ):
        raise LeaseError(
            f"{name!r} cannot be the schema of leased's tables: use letters from a to z, digits and underscores, do not "
            "begin with a digit, and use none of PostgreSQL's own (pg_…, information_schema)"
        )
    if len(name) > _LONGEST_NAME:
        raise LeaseError(
            f"the name of a schema has at most {_LONGEST_NAME} characters, but {name[:20]!r}… has {len(name)}"
        )
    return name


def _is_torn(url: URL) -> bool:
    """Return whether a part of the password may have gone astray: SQLAlchemy takes the first @ for its end."""
    parts = (url.database, *url.query) if url.password is not None else ()
    return any("@" in part for part in (url.host, *parts) if part)


def _with_sslmode(url: URL) -> URL:
    """Return the URL with asyncpg's ``ssl`` as the others say it."""
    if "ssl" not in url.query:
        return url
    words, _ = in_words_of_libpq({"ssl": url.query["ssl"]})
    return url.difference_update_query(["ssl"]).update_query_dict(words)


def _with_path(url: URL) -> URL:
    path = backend_of(url).file(url)
    if path is None:
        raise LeaseError("SQLite needs a file that several connections can share; write sqlite:///file.db")
    if path != url.database:
        raise LeaseError(
            f"SQLite needs the path of its file here, not a file: URI; write sqlite:///{Path(path).absolute()}"
        )
    if unknown := [name for name in url.query if name not in (*OURS_OF_SQLITE, _SCHEMA)]:
        raise LeaseError(
            f"the database's URL has the parameter {unknown[0]}, which leased does not accept for SQLite: it opens the file "
            "itself, for reading and writing; leave it out"
        )
    return url.set(database=str(Path(path).expanduser().absolute())).difference_update_query(OURS_OF_SQLITE)


def describe(url: URL) -> str:
    """Return the URL for people: without password and driver. It may lead to a database that is not supported."""
    name = url.get_backend_name()
    if _is_torn(url):
        return f"{name}://***"
    file = backend_of(url).file(url) if name in NAMES else None
    if file is not None:
        return f"{name}:///{Path(file).absolute()}"
    schema = {_SCHEMA: url.query[_SCHEMA]} if url.query.get(_SCHEMA, SCHEMA) != SCHEMA else {}
    plain = url.set(drivername=name, query=schema).render_as_string()
    before = "@" if url.username else "://"
    return plain.replace(f"{before}/", f"{before}{_several_hosts(url)}/", 1)


def _several_hosts(url: URL) -> str:
    """Return the hosts that the query has, as libpq writes them; none of them is a socket's folder."""
    given = url.query.get("host", ())
    hosts = (given,) if isinstance(given, str) else given
    return "" if any(host.startswith("/") for host in hosts) else ",".join(hosts)


def plain_url(address: Address) -> str:
    """Return the URL as other programs take it: an absolute path, no driver, no schema, and the password in it."""
    url = without_schema(parse_address(address))
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)


def without_secrets(url: URL) -> str:
    """Return where a URL leads, for those who must not learn how to log in."""
    return url.set(query=_where_it_leads(url)).render_as_string()


def _where_it_leads(url: URL) -> dict[str, Any]:
    return {key: value for key, value in url.query.items() if key in (_SCHEMA, "host", "port")}


def place_of(url: URL) -> tuple[object, ...]:
    """Return the same value for two URLs of one database, and different ones for two databases."""
    backend = backend_of(url)
    if backend.is_embedded:
        return (backend.name, str(Path(backend.file(url) or "").resolve()))
    return (backend.name, url.host or "localhost", url.port or backend.port, url.database or url.username)


# The identity of a database: what a copy of it does not carry
#
# PostgreSQL: the server's system identifier, which its standbys share and nothing restored from a dump does, and the
# database's OID, which a copy on the same server does not share. Both outlive a failover and are the same through a
# pooler. SQLite: the device and the inode of the file.

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
