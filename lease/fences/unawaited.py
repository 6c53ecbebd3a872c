"""A fence that nobody awaits: the transaction that it was for is kept from being committed."""

import weakref
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from sqlalchemy import event

from ..errors import LeaseError


def watched(fence: Callable[[], Coroutine[Any, Any, None]], connection: Any) -> Coroutine[Any, Any, None]:
    """Return ``fence``, to be awaited; dropped without, it spoils the transaction of ``connection``."""
    awaiting = _Awaiting(_target(connection), fence)
    awaited = awaiting.fence()
    weakref.finalize(awaited, awaiting.settle).atexit = False
    return awaited


class _Awaiting:
    def __init__(self, target: Any, fence: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._target = target
        self._fence = fence
        self._begun = False

    async def fence(self) -> None:
        """Prove it. (Python's own warning about a coroutine that was never awaited says this name.)"""
        self._begun = True
        await self._fence()

    def settle(self) -> None:
        if not self._begun:
            _spoil(self._target)


def _target(connection: Any) -> Any:
    """Return what commits the transaction: SQLAlchemy's sync connection or session, or psycopg's connection."""
    if hasattr(connection, "registry"):  # async_scoped_session
        connection = connection()
    if hasattr(connection, "sync_session"):
        return connection.sync_session
    if not hasattr(connection, "sync_connection"):
        return connection
    if connection.sync_connection is None:
        raise LeaseError(
            "fence was given an AsyncConnection that is not connected yet: await it, or use it as `async with`"
        )
    return connection.sync_connection


def _spoil(target: Any) -> None:
    if hasattr(target, "pgconn"):
        target.pgconn.finish()  # nothing else of psycopg's can be reached without waiting
        return
    commit = "before_commit" if hasattr(target, "get_bind") else "commit"
    event.listen(target, commit, _refuse)


def _refuse(_: Any) -> NoReturn:
    raise LeaseError(
        "this transaction should have been fenced, but the fence was never awaited: write `await …fence(connection)`"
    )
