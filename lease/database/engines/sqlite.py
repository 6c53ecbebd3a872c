"""The arguments of SQLite's drivers, none of which says where to connect, and the paths in their URIs."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

OURS = frozenset(
    {
        "autocommit",
        "cached_statements",
        "check_same_thread",
        "detect_types",
        "isolation_level",
        "iter_chunk_size",
        "timeout",
        "uri",
    }
)
"""What this library decides for its own connections."""


def in_words_of_sqlite3(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return nothing to connect with, and the names that cannot be carried over."""
    return {}, [name for name, value in given.items() if name not in OURS and value is not None]


def path_of_uri(uri: str) -> str:
    """Return the path of a ``file:`` URI, as SQLite reads it."""
    path = uri.removeprefix("file:").partition("?")[0].partition("#")[0]
    if path.startswith("//"):
        path = "/" + path.removeprefix("//").partition("/")[2]
    return unquote(path)
