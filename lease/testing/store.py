"""The store of leases in memory."""

import asyncio
import threading
import time
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..errors import LeaseLost, StoreUnavailable
from ..model import Break, Grant, LeaseRecord, Renewal, check_name, ended_sentence, mark_of
from ..waiters import PLACE, Waiter, Waiters, ahead_of, behind, joined, may_take, without
from .clock import ManualClock

if TYPE_CHECKING:
    from ..store import Wait


@dataclass
class _Row:
    token: int = 0
    holder: str | None = None
    label: str | None = None
    expires_at: float = 0.0
    granted_at: float = 0.0
    renewed_at: float = 0.0
    # What a grant changes is compared, by simulations: not when it was free, who waits, or why it ended.
    released_at: float | None = field(default=None, compare=False)
    waiting: Waiters = field(default=(), compare=False)
    broken: Break | None = field(default=None, compare=False)


class MemoryStore:
    """A store in memory, shared by all clients that use it; its clock stands for the database's."""

    def __init__(self, clock: ManualClock | None = None) -> None:
        self._clock = clock or time.monotonic
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()
        self._watchers: dict[str, list[Callable[[], None]]] = {}
        self.available = True
        """While it is False, every call raises `StoreUnavailable`."""

    def admitted(self) -> AbstractAsyncContextManager[None]:
        """Let everybody ask at once."""
        return nullcontext()

    async def grant(
        self, name: str, holder: str, label: str, ttl: float, *, queue: bool = False
    ) -> Grant | LeaseRecord | None:
        with self._reached():
            row = self._rows.setdefault(name, _Row())
            now = self._clock()
            record = self._record(name, row)
            if record.live or not may_take(ahead_of(holder, record.waiting), record.free_for):
                if queue:
                    row.waiting = joined(record.waiting, Waiter(holder, label, now + PLACE))
                return self._record(name, row)
            row.token += 1
            row.holder, row.label = holder, label
            row.granted_at = row.renewed_at = now
            row.expires_at = now + ttl
            row.released_at = None
            row.waiting = behind(record.waiting, holder)
            return Grant(name, row.token, holder)

    async def renew(
        self, holder: str, ttl: float, expected: Collection[Grant], besides: Collection[Grant] = ()
    ) -> Renewal:
        with self._reached():
            now = self._clock()
            pairs = set()
            for name, row in self._rows.items():
                if row.holder == holder and Grant(name, row.token, holder) not in besides:
                    row.renewed_at, row.expires_at = now, now + ttl
                    pairs.add((name, row.token))
            missing = {
                grant.name: self._record(grant.name, self._rows[grant.name])
                for grant in expected
                if (grant.name, grant.token) not in pairs and grant.name in self._rows
            }
            return Renewal(frozenset(pairs), missing, now if pairs else None)

    async def release(self, grant: Grant) -> bool:
        with self._reached():
            if (row := self._in_force(grant)) is None:
                return False
            row.holder = row.label = None
            row.released_at = self._clock()
        self._tell(grant.name)
        return True

    def steal(self, name: str, *, label: str = "another client", ttl: float = 15.0) -> Grant:
        """Grant ``name`` to another client, whoever holds it, as if its ttl had been over."""
        with self._lock:
            row, now = self._rows.setdefault(name, _Row()), self._clock()
            grant = Grant(check_name(name), row.token + 1, f"{label} {row.token + 1}")
            row.token, row.holder, row.label = grant.token, grant.holder, label
            row.granted_at = row.renewed_at = now
            row.expires_at, row.released_at = now + ttl, None
            return grant

    async def release_all(self, holder: str, besides: Collection[str]) -> list[Grant]:
        with self._reached():
            held = [(name, row) for name, row in self._rows.items() if row.holder == holder and name not in besides]
            for _, row in held:
                row.holder = row.label = None
                row.released_at = self._clock()
        for name, _ in held:
            self._tell(name)
        return [Grant(name, row.token, holder) for name, row in held]

    async def break_grant(self, grant: Grant, by: str, reason: str) -> Break | None:
        with self._reached():
            if (row := self._in_force(grant)) is None:
                return None
            at = datetime.fromtimestamp(self._clock(), UTC)
            row.broken = Break(by, reason, at, grant.holder, row.label, grant.token)
            row.holder = mark_of(grant).holder
            return row.broken

    def waiting(self, name: str, holder: str) -> "Wait":
        """Return a wait that ends when something happens to the name."""
        del holder  # the next attempt finds out whose turn it is
        wait = _Watch(self._watchers.setdefault(name, []))
        wait.watchers.append(wait.tell)
        return wait

    async def leave(self, name: str, holder: str) -> None:
        with self._reached():
            row = self._rows.setdefault(name, _Row())
            row.waiting = without(row.waiting, holder)
        self._tell(name)

    async def read(self, name: str) -> LeaseRecord | None:
        with self._reached():
            return self._record(name, self._rows[name]) if name in self._rows else None

    async def list(self, prefix: str) -> list[LeaseRecord]:
        with self._reached():
            return [self._record(name, row) for name, row in sorted(self._rows.items()) if name.startswith(prefix)]

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    def fence(self, grant: Grant) -> None:
        """Raise `LeaseLost` unless ``grant`` is in force, as a fence in a transaction would."""
        with self._reached():
            if self._in_force(grant) is None:
                raise LeaseLost(ended_sentence(grant))

    def _in_force(self, grant: Grant) -> _Row | None:
        row = self._rows.get(grant.name)
        return row if row is not None and (row.token, row.holder) == (grant.token, grant.holder) else None

    def _tell(self, name: str) -> None:
        for watcher in list(self._watchers.get(name, ())):
            watcher()

    def _reached(self) -> threading.Lock:
        if not self.available:
            raise StoreUnavailable("the test has made the store in memory unavailable")
        return self._lock

    def _record(self, name: str, row: _Row) -> LeaseRecord:
        held, now = row.holder is not None, self._clock()
        return LeaseRecord(
            name=name,
            token=row.token,
            holder=row.holder,
            label=row.label,
            granted_at=datetime.fromtimestamp(row.granted_at, UTC) if row.token else None,
            renewed_at=datetime.fromtimestamp(row.renewed_at, UTC) if row.token else None,
            held_for=now - row.granted_at if held else None,
            expires_in=row.expires_at - now if held else None,
            live=held and row.expires_at > now,
            free_for=now - row.expires_at if held else None if row.released_at is None else now - row.released_at,
            waiting=tuple(waiter for waiter in row.waiting if waiter.until > now),
            broken=row.broken,
        )


class _Watch:
    def __init__(self, watchers: list[Callable[[], None]]) -> None:
        self.watchers = watchers
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    async def __call__(self, seconds: float, ahead: int) -> None:
        del ahead  # whoever is told too early asks again
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()

    def tell(self) -> None:
        with suppress(RuntimeError):  # that client has been closed
            self._loop.call_soon_threadsafe(self._changed.set)

    def close(self) -> None:
        with suppress(ValueError):  # it is closed
            self.watchers.remove(self.tell)
