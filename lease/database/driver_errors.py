"""The errors of drivers: PostgreSQL's code, and the sentence for people."""

import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL

from ..errors import LeaseError, SchemaMissing, StoreUnavailable
from .address import describe
from .backend import SCHEMA

_GRANTS = {
    "table": "GRANT {rights} ON ALL TABLES IN SCHEMA {schema}",
    "function": "GRANT EXECUTE ON FUNCTION {name}",
    "schema": "GRANT USAGE ON SCHEMA {schema}",
}
"""The statement that grants what this library needs, by the kind of thing that PostgreSQL says it lacks."""
_TO_READ, _TO_WRITE = "SELECT", "SELECT, INSERT, UPDATE, DELETE"


_HARMLESS = ("23", "40", "55")
"""The classes of PostgreSQL's codes for what `is_harmless`."""
_DATA_EXCEPTION = "22"
_NOT_IN_ENCODING = ("22021", "22P05")
"""PostgreSQL's codes for a character that the encoding of the database does not have."""
_AT_FIRST_CONTACT = (
    (
        r"password authentication failed|no password supplied|role \".*\" does not exist",
        "check the user and the password in its URL, where an @ is written as %40",
    ),
    (r"database \".*\" does not exist", "create it, or correct its name in the URL"),
    (r"Connection refused|Connect call failed", "start its server, or correct host and port in the URL"),
    (r"on socket \".*\" failed: No such file", "start its server, or correct host and port in the URL"),
    (r"failed to resolve host|could not translate host name", "correct the host in its URL"),
    (
        "too many (connections|clients)|remaining connection slots",
        "raise the limit of its role, database or server: a client takes two connections, and up to eight under load",
    ),
    (
        "^file is not a database",
        "it is not an SQLite database; name one of leased's databases, or a file that does not exist yet",
    ),
)
"""A driver's words where a server or a file was not reached, each with its remedy; psycopg has no code for it."""


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's code of an error, through any driver and any wrapper."""
    for one in _layers(error):
        code = getattr(one, "sqlstate", None) or getattr(one, "pgcode", None)  # psycopg2 has the latter
        if isinstance(code, str):
            return code
    return None


WROTE_SINCE = "SQLITE_BUSY_SNAPSHOT"
"""SQLite's name of the error for a transaction that read before another one wrote, and so can no longer write."""


def sqlite_name(error: BaseException) -> str:
    """Return what SQLite calls an error; empty for one of another kind."""
    return next((one.sqlite_errorname for one in _layers(error) if hasattr(one, "sqlite_errorname")), "")


def is_harmless(error: BaseException) -> bool:
    """Return whether a connection to PostgreSQL is as good after an error as before: where a constraint, a
    deadlock or a lock refused something. A server that has become a standby, say, refuses the next as well.
    """
    return (sqlstate(error) or "").startswith(_HARMLESS)


def detail(error: BaseException) -> str | None:
    """Return the line that PostgreSQL says beside the message of an error."""
    for one in _layers(error):
        said = getattr(getattr(one, "diag", None), "message_detail", None) or getattr(one, "detail", None)
        if isinstance(said, str):
            return said
    return None


def _layers(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and those of the driver that SQLAlchemy or Django wrapped in it."""
    layer: BaseException | None = error
    while layer is not None:
        yield layer
        layer = getattr(layer, "orig", None) or layer.__cause__


def explain(error: BaseException, url: URL) -> LeaseError:
    """Return an error of ours for a driver's: one sentence, without passwords."""
    if tables_missing(error):
        return SchemaMissing(
            f"the database {describe(url)} does not have leased's tables; create them with `leased db upgrade`, or with "
            "lease.create_tables(connection) if you use only the library"
        )
    if sqlstate(error) == "42703":  # undefined_column
        return SchemaMissing(
            f"a table of the database {describe(url)} is of an older version of leased, or another program's; bring it up to "
            "date with `leased db upgrade`, or with lease.create_tables(connection) if you use only the library"
        )
    said = one_line(_said(error), url)
    if (sqlstate(error) or "").startswith(_DATA_EXCEPTION):
        return LeaseError(f"the database {describe(url)} cannot store this: {said}{_remedy(error, said, url)}")
    return StoreUnavailable(f"the database {describe(url)} cannot be used: {said}{_remedy(error, said, url)}")


def _remedy(error: BaseException, said: str, url: URL) -> str:
    """Return the remedy where one is known: at first contact, against a missing right, or where a
    database takes no writes.
    """
    if sqlstate(error) == "42501":  # insufficient_privilege
        if re.search("for sequence|must be owner", said):
            return "; run this as the owner of leased's tables"
        return f"; let its owner grant this{_grant(error, said, url)}"
    if sqlstate(error) in _NOT_IN_ENCODING:
        return "; use characters of its encoding, or a database in UTF8"
    if sqlstate(error) == "25006":  # read_only_sql_transaction
        return "; it is a standby, or set to be read-only: use the URL of the primary"
    if said.startswith("attempt to write a readonly database"):
        return "; this user may not write to the file, or not to its folder"
    if said.startswith("unable to open database file"):
        return f"; {_why_not_opened(Path(str(url.database)))}"
    return next((f"; {remedy}" for pattern, remedy in _AT_FIRST_CONTACT if re.search(pattern, said)), "")


def _grant(error: BaseException, said: str, url: URL) -> str:
    """Return the statement that grants the right that is missing, as the end of a sentence; nothing where it is not
    known.
    """
    lacks = re.search(rf"for ({'|'.join(_GRANTS)}) (\w+)", said)
    if lacks is None:
        return ""
    kind, name = lacks.groups()
    schema = url.query.get("schema", SCHEMA)
    grant = _GRANTS[kind].format(
        schema=schema,
        rights=_TO_READ if _only_reads(error) else _TO_WRITE,
        name=name if name.startswith("pg_") else f"{schema}.{name}",
    )
    return f" with {grant} TO {_quoted(url.username)}"


def _only_reads(error: BaseException) -> bool:
    """Return whether the statement that was refused is known, and reads without locking what it reads."""
    statement = getattr(error, "statement", None)
    return isinstance(statement, str) and re.search(r"\b(INSERT|UPDATE|DELETE|FOR)\b", statement) is None


def _why_not_opened(file: Path) -> str:
    if file.is_dir():
        return "it is a folder; name a file in it"
    if not file.absolute().parent.is_dir():
        return f"there is no folder {file.absolute().parent}; create it, or correct the path"
    return "this user cannot open the file, or cannot write to its folder"


def _quoted(name: str | None) -> str:
    if name is None:
        return "its user"
    return name if re.fullmatch("[a-z_][a-z0-9_]*", name) else '"{}"'.format(name.replace('"', '""'))


def tables_missing(error: BaseException) -> bool:
    """Return whether the database refused because it lacks some or all of the tables."""
    text = str(getattr(error, "orig", error))
    return sqlstate(error) in ("42P01", "42883", "3F000") or text.startswith("no such table")


def one_line(text: str, url: URL) -> str:
    """Return the line of a driver's message that says most, without the password of ``url``."""
    lines = [line.strip(" -\t") for line in text.splitlines() if line.strip()]
    line = lines[-1] if lines[0].startswith("Multiple connection attempts") else lines[0]
    return line.replace(str(url.password), "***") if url.password else line


def _said(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).strip() or type(error).__name__
