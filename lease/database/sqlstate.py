"""PostgreSQL's code of an error, wherever it came through."""

from sqlalchemy.exc import DBAPIError


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's code of an error, wherever it came through."""
    if isinstance(error, DBAPIError):
        return getattr(error.orig, "sqlstate", None)
    return getattr(error, "sqlstate", None)
