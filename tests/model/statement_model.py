"""What the statements of the lease protocol must do, said once more in Python, beside open transactions too: the model of the
rows, of locks and of what each statement then answers, and transactions on a real database, none of which waits for long.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from lease import LeaseLost
from lease.clock import boottime
from lease.database.backend import SCHEMA
from lease.database.driver_errors import sqlstate
from lease.errors import NeverGranted
from lease.model import Grant


class Answer(StrEnum):
    """What a statement answers when it does nothing."""

    BLOCKED = "blocked"
    """It would have to wait for another transaction: on PostgreSQL for a row's lock, on SQLite for the one writer."""
    LOST = "lost"
    NEVER_GRANTED = "never granted"
    TOO_OLD = "too old"
    """Its snapshot is older than what it wants to lock or to write."""


class Lock(StrEnum):
    """PostgreSQL's locks of a row."""

    KEY_SHARE = "key share"
    NO_KEY_UPDATE = "no key update"
    UPDATE = "update"

    def bars(self, other: "Lock") -> bool:
        return Lock.UPDATE in (self, other) or self == other == Lock.NO_KEY_UPDATE


@dataclass(frozen=True, slots=True)
class Row:
    """A lease's row: no `holder`, nobody holds it."""

    token: int = 0
    holder: str | None = None
    stale: bool = False

    def is_of(self, grant: Grant) -> bool:
        return (self.token, self.holder) == (grant.token, grant.holder)


@dataclass(slots=True, eq=False)
class Change:
    """One transaction: what it has locked, what it has changed, and what it read at its begin where that counts."""

    locks: dict[str, Lock] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    fenced: Grant | None = None
    snapshot: dict[str, Row] | None = None
    commits_seen: int = 0
    writes: bool = False
    """On SQLite it is the one writer."""


class Leases:
    """Each method predicts what one statement answers in `mine`, and notes there what it does."""

    def __init__(self, *, one_writer: bool) -> None:
        self.rows: dict[str, Row] = {}
        self.open: list[Change] = []
        self._one_writer = one_writer
        self._commits = 0

    def begin(self, *, snapshot: bool = False, writes: bool = False) -> Change:
        change = Change(snapshot=dict(self.rows) if snapshot else None, commits_seen=self._commits, writes=writes)
        self.open.append(change)
        return change

    def end(self, mine: Change, *, commit: bool) -> None:
        self.open.remove(mine)
        if commit:
            self.rows.update(mine.rows)
            self._commits += bool(mine.rows or mine.fenced)

    # The statements

    def grant(self, mine: Change, names: Iterable[str], holder: str) -> list[Grant] | Answer:
        """Whatever is locked is passed over, and so is a name that another is inserting (rule 4)."""
        if self._busy(mine):
            return Answer.BLOCKED
        granted = []
        for name in sorted(set(names)):
            row = self.rows.get(name, Row())
            if (row.holder is None or row.stale) and not self._barred(mine, name, Lock.UPDATE):
                self._change(mine, name, Row(row.token + 1, holder), Lock.UPDATE)
                granted.append(Grant(name, row.token + 1, holder))
        return granted

    def renew(self, mine: Change, holder: str, *, unlocked: bool) -> frozenset[tuple[str, int]] | Answer:
        """All, or none when one is barred; with `unlocked` those that are not (rule 7)."""
        own = {name: row for name, row in self.rows.items() if row.holder == holder}
        barred = {name for name in own if self._barred(mine, name, Lock.NO_KEY_UPDATE)}
        if self._busy(mine) or (barred and not unlocked):
            return Answer.BLOCKED
        renewed = {name: row for name, row in own.items() if name not in barred}
        for name, row in renewed.items():
            self._change(mine, name, replace(row, stale=False), Lock.NO_KEY_UPDATE)
        return frozenset((name, row.token) for name, row in renewed.items())

    def release(self, mine: Change, grant: Grant) -> bool | Answer:
        """It waits for whoever has the row locked, if it is its own to end (rule 6)."""
        matches = self.rows.get(grant.name, Row()).is_of(grant)
        if self._busy(mine) or (matches and self._barred(mine, grant.name, Lock.UPDATE)):
            return Answer.BLOCKED
        if matches:
            self._change(mine, grant.name, Row(grant.token), Lock.UPDATE)
        return matches

    def end_all(self, mine: Change, grants: Sequence[Grant], *, stale_only: bool) -> list[Grant] | Answer:
        """Settle, or end the dead: it waits for nobody (rule 18)."""
        if self._busy(mine):
            return Answer.BLOCKED
        ended = []
        for grant in grants:
            row = self.rows.get(grant.name, Row())
            ends = row.is_of(grant) and (row.stale or not stale_only)
            if ends and not self._barred(mine, grant.name, Lock.UPDATE):
                self._change(mine, grant.name, Row(grant.token), Lock.UPDATE)
                ended.append(grant)
        return ended

    def fence(self, mine: Change, grant: Grant) -> Answer | None:
        """None: it passes, and the grant cannot end before `mine` does (rule 11)."""
        if self._busy(mine):
            return Answer.BLOCKED
        if self._one_writer and mine.snapshot is not None and mine.commits_seen != self._commits:
            return Answer.TOO_OLD
        seen = (self.rows if mine.snapshot is None else mine.snapshot).get(grant.name, Row())
        if not seen.is_of(grant):
            return Answer.LOST if grant.name in self.rows and seen.token >= grant.token else Answer.NEVER_GRANTED
        if not self.rows[grant.name].is_of(grant):
            return Answer.LOST  # PostgreSQL tells it by a serialization failure
        if self._barred(mine, grant.name, Lock.KEY_SHARE):
            return Answer.BLOCKED
        mine.fenced, mine.writes = grant, True
        mine.locks[grant.name] = Lock.KEY_SHARE
        return None

    def lapse(self, name: str) -> None:
        """The ttl is over; of a row that nobody holds, nothing is written."""
        row = self.rows[name]
        if row.holder is not None:
            self.rows[name] = replace(row, stale=True)
            self._commits += 1

    def may_change(self, name: str) -> bool:
        """Tell whether an update of this row by the test itself would pass."""
        nobody = Change()
        return name in self.rows and not self._busy(nobody) and not self._barred(nobody, name, Lock.NO_KEY_UPDATE)

    def _busy(self, mine: Change) -> bool:
        return self._one_writer and any(other.writes for other in self.open if other is not mine)

    def _barred(self, mine: Change, name: str, wanted: Lock) -> bool:
        held = [other.locks[name] for other in self.open if other is not mine and name in other.locks]
        return any(lock.bars(wanted) for lock in held)

    def _change(self, mine: Change, name: str, row: Row, lock: Lock) -> None:
        mine.rows[name], mine.locks[name] = row, lock


T = TypeVar("T")

LOCK_WAIT = 0.03
"""Seconds that a statement waits for a row: each one that is blocked costs them."""
TOO_LONG = 5
"""Seconds after which what the model says is free to be changed is not: this thread would wait for itself."""


class Line:
    """One transaction."""

    def __init__(self, connection: Connection, *, sqlite: bool) -> None:
        self._connection = connection
        self._sqlite = sqlite

    def begin(self, level: str, *, deferred: bool) -> None:
        if self._sqlite:
            self._connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")
        else:
            self._connection.execution_options(isolation_level=level)
            self._connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_WAIT * 1000:.0f}")

    def look(self) -> None:
        """Read something: where the level has one snapshot for all, this is it."""
        self._connection.exec_driver_sql("SELECT count(*) FROM lease").all()

    def run(self, unit: Callable[[Connection], T]) -> T | Answer:
        return answer(lambda: unit(self._connection))

    def end(self, *, commit: bool) -> None:
        word = "COMMIT" if commit else "ROLLBACK"
        try:
            if not self._sqlite:
                self._connection.commit() if commit else self._connection.rollback()
            elif self._connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
                self._connection.exec_driver_sql(word)
        finally:
            self._connection.close()


class Lines:
    """A database, as the statements' callers have it."""

    def __init__(self, url: str) -> None:
        self.sqlite = url.startswith("sqlite")
        options: dict[str, Any] = (
            {"isolation_level": "AUTOCOMMIT", "connect_args": {"timeout": 0}} if self.sqlite else {}
        )
        engine = create_engine(url, pool_size=4, **options)
        self.engine: Engine = engine.execution_options(schema_translate_map={None: None if self.sqlite else SCHEMA})
        self._reading = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if self.sqlite:
            self._reading.exec_driver_sql("PRAGMA journal_mode = WAL")
        else:
            self._reading.exec_driver_sql(f"SET lock_timeout = '{TOO_LONG}s'")
        self._reading.exec_driver_sql("CREATE TABLE written (name text, token bigint, holder text)")

    def line(self) -> Line:
        return Line(self.engine.connect(), sqlite=self.sqlite)

    def read(self, unit: Callable[[Connection], T]) -> T:
        return unit(self._reading)

    def lapse(self, name: str) -> None:
        """Let the ttl be over just now: a transaction that has begun before must see it too (rule 1)."""
        sql = "UPDATE lease SET expires_at = {} WHERE name = :name AND holder IS NOT NULL"
        if self.sqlite:
            self._reading.execute(text(sql.format(":now")), {"name": name, "now": boottime()})
        else:
            self._reading.execute(text(sql.format("clock_timestamp()")), {"name": name})

    def close(self) -> None:
        self._reading.close()
        self.engine.dispose()


def answer(call: Callable[[], T]) -> T | Answer:
    """Return what it returned, or what its refusal means."""
    try:
        return call()
    except NeverGranted:
        return Answer.NEVER_GRANTED
    except LeaseLost:
        return Answer.LOST
    except DBAPIError as error:
        means = _MEANING.get(sqlstate(error) or str(getattr(error.orig, "sqlite_errorname", "")))
        if means is None:
            raise
        return means


_MEANING = {
    "55P03": Answer.BLOCKED,  # lock_not_available
    "SQLITE_BUSY": Answer.BLOCKED,
    "40001": Answer.TOO_OLD,  # serialization_failure
    "SQLITE_BUSY_SNAPSHOT": Answer.TOO_OLD,
}
