"""A clock that stands still where a test has put it, for every statement on SQLite and for every command."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import Any, Self

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from daemon.instants import parse_instant
from lease.database.dialects import SQLITE_NOW

STARTED = parse_instant("2026-06-01T00:00:00Z").timestamp()
"""When the machine of the test was started."""


class StandingClock:
    """The wall clock and the clock since boot, which only the test moves."""

    def __init__(self, instant: str) -> None:
        self.now = parse_instant(instant)

    def set(self, instant: str) -> None:
        self.now = parse_instant(instant)

    def boottime(self) -> float:
        return self.now.timestamp() - STARTED

    def in_statement(self, *call: Any) -> tuple[str, Any]:
        """Put the time into a statement, in place of SQLite's own."""
        _connection, _cursor, statement, parameters, *_ = call
        return statement.replace(SQLITE_NOW, repr(self.now.timestamp())), parameters


@contextmanager
def standing(clock: StandingClock) -> Iterator[None]:
    """Let everything go by ``clock``."""

    class Told(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(clock.now.timestamp(), tz)

    event.listen(Engine, "before_cursor_execute", clock.in_statement, retval=True)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lease.database.dialects.boottime", clock.boottime)
            patch.setattr("tests.support.store._COMPILED", {})  # what is compiled meanwhile goes by this clock for ever
            patch.setattr("daemon.cli.commands.defining.check.datetime", Told)
            patch.setattr("daemon.service.doctor.examination.datetime", Told)
            _find_again(patch)
            yield
    finally:
        event.remove(Engine, "before_cursor_execute", clock.in_statement)


def _find_again(patch: pytest.MonkeyPatch) -> None:
    """Let engines find again what another has compiled, which takes most of the time of a command."""
    compiled: dict[Any, Any] = {}

    def create(*arguments: Any, **options: Any) -> Engine:
        engine = create_engine(*arguments, **options)
        engine.update_execution_options(compiled_cache=compiled)
        return engine

    patch.setattr("lease.database.connections.create_engine", create)
    patch.setattr(SQLiteDialect, "__hash__", lambda self: hash(type(self)), raising=False)
    patch.setattr(SQLiteDialect, "__eq__", lambda self, other: type(self) is type(other), raising=False)
