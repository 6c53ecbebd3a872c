"""The arguments of the drivers of other people's engines, as our own connections take them: those of PostgreSQL's in the
words of libpq, which psycopg takes; of SQLite's none says where to connect. And the paths in SQLite's URIs.
"""

import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

_SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_RENAMED = {"database": "dbname", "username": "user"}
_OURS = frozenset(
    {
        *("async_fallback", "prepared_statement_cache_size", "prepared_statement_name_func"),  # SQLAlchemy's
        *("command_timeout", "connection_class", "loop", "max_cacheable_statement_size", "record_class"),  # asyncpg's
        *("max_cached_statement_lifetime", "statement_cache_size", "timeout"),
        *("autocommit", "context", "cursor_factory", "prepare_threshold", "row_factory"),  # psycopg's
        *("application_name", "connection_factory", "tcp_keepalive"),  # psycopg2's and pg8000's
    }
)
"""What tells a driver how to work, not where and as whom to connect: this library decides that for its own connections.
"""
_UNLESS_SET = frozenset({"direct_tls", "ssl_context"})
"""What has no translation, unless it is not set."""


def in_words_of_libpq(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of a driver (psycopg, psycopg2, asyncpg, pg8000) as libpq takes them, and
    the names of those that it has no words for.
    """
    words: dict[str, Any] = {}
    unknown = []
    for name, value in given.items():
        if name in _OURS or value is None or (name in _UNLESS_SET and not value):
            continue
        if name == "ssl":
            words |= _ssl(value)
        elif name == "server_settings":
            words |= _options(value)
        elif callable(value) or name in _UNLESS_SET:
            unknown.append(name)
        else:
            words[_RENAMED.get(name, name)] = _joined(value) if name in ("host", "port") else value
    known = _known()
    unknown += [name for name in words if name not in known]
    return words, unknown


@cache
def _known() -> frozenset[str]:
    """Return the parameters of this machine's libpq."""
    from psycopg import pq  # noqa: PLC0415 - loaded only where it connects

    return frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())


def _ssl(value: Any) -> dict[str, Any]:
    """Return asyncpg's ``ssl`` as libpq's ``sslmode``; what cannot be said so stays what it is."""
    if isinstance(value, ssl.SSLContext):
        return {"ssl (an SSLContext)": value}
    if value is True or value in ("true", "True"):
        # What ssl.create_default_context() does: the machine's own authorities, and the name of the host.
        return {"sslmode": "verify-full", "sslrootcert": ssl.get_default_verify_paths().cafile or "system"}
    mode = "disable" if value is False else getattr(value, "name", value)
    mode = str(mode).replace("_", "-")
    if mode not in _SSL_MODES:
        return {"ssl": value}
    return {"sslmode": mode}


def _options(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return asyncpg's ``server_settings`` as libpq's ``options``."""
    words = [
        f"-c {name}={_escaped(str(value))}"
        for name, value in settings.items()
        if name not in _OURS and value is not None
    ]
    return {"options": " ".join(words)} if words else {}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _joined(value: Any) -> Any:
    return ",".join(str(one) for one in value) if isinstance(value, list | tuple) else value


OURS_OF_SQLITE = frozenset(
    {
        *("autocommit", "cached_statements", "check_same_thread", "detect_types"),
        *("isolation_level", "iter_chunk_size", "timeout", "uri"),
    }
)
"""What this library decides for its own connections to SQLite."""


def in_words_of_sqlite3(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return nothing to connect with, and the names that cannot be carried over."""
    return {}, [name for name, value in given.items() if name not in OURS_OF_SQLITE and value is not None]


def path_of_uri(uri: str) -> str:
    """Return the path of a ``file:`` URI, as SQLite reads it."""
    path = uri.removeprefix("file:").partition("?")[0].partition("#")[0]
    if path.startswith("//"):
        path = "/" + path.removeprefix("//").partition("/")[2]
    return unquote(path)
