"""The arguments of SQLite's drivers: none of them says where to connect, so that none is taken over."""

from collections.abc import Mapping
from typing import Any

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
