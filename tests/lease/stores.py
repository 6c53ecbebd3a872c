"""What the tests of the library share: statements in transactions of their own, a recorder of events, a quick timing."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.pool import NullPool

from lease import Grant, LeaseRecord, LeaseTiming, events, statements
from lease.database.database import OwnDatabase
from lease.database.opening import open_database
from tests.support.databases import engine_on
from tests.support.waiting import LIMIT, wait_until

T = TypeVar("T")
E = TypeVar("E")

QUICK = LeaseTiming(ttl=1.5)
"""Trust ends after 1 s, renewals come each quarter of a second. For clocks that a test sets: a busy machine may cost a second."""
SHORT = LeaseTiming(ttl=3, renew_every=0.1)
"""Trust ends after 2 s: for what must outlast a ttl, or must end with it."""
STEADY = LeaseTiming(ttl=30, renew_every=0.1, kill_time=1.2)
"""Trust ends after 20 s, more than a busy machine stalls: for all else."""
SELDOM = LeaseTiming(ttl=60, renew_every=20)
"""No renewal comes while a test runs: for leases that are ended behind the heartbeat's back."""
HASTY = LeaseTiming(ttl=60, renew_every=20, kill_time=0.2)
"""As `SELDOM`; and a closing does not wait for work of which nobody says that it has ended."""


class Tables:
    """Each method is one transaction."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.postgresql = url.startswith("postgresql")
        if self.postgresql:
            self.engine = engine_on(url)
            return
        self.engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        event.listen(self.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        event.listen(self.engine, "commit", lambda connection: connection.exec_driver_sql("COMMIT"))
        event.listen(self.engine, "rollback", lambda connection: connection.exec_driver_sql("ROLLBACK"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.postgresql:  # whose engine outlives the test: `engine_on`
            self.engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            yield connection

    def run(self, unit: Callable[[Connection], T]) -> T:
        with self.transaction() as connection:
            return unit(connection)

    def grant(self, *names: str, holder: str = "anna", ttl: float = 60.0, label: str | None = None) -> list[Grant]:
        return self.run(lambda connection: statements.grant(connection, names, holder, ttl, label=label))

    def queue(self, *names: str, holder: str, ttl: float = 60.0) -> list[Grant]:
        """Grant, or leave a place in the queue."""
        return self.run(lambda connection: statements.grant(connection, names, holder, ttl, label=holder, queue=True))

    def one(self, name: str, holder: str = "anna", ttl: float = 60.0) -> Grant:
        (grant,) = self.grant(name, holder=holder, ttl=ttl)
        return grant

    def read(self, name: str) -> LeaseRecord | None:
        return self.run(lambda connection: statements.reading([name])(connection).get(name))

    def record(self, name: str) -> LeaseRecord:
        record = self.read(name)
        assert record is not None
        return record

    def release(self, grant: Grant, lock_wait: float = 5.0) -> bool:
        """End the grant, and wake who waits for it, as any program is to."""
        done = self.run(lambda connection: statements.release(connection, grant, lock_wait=lock_wait))
        if done.waiting:
            self.run(lambda connection: statements.notify(connection, grant.name, done.waiting))
        return done.released

    def release_all(self, grants: list[Grant]) -> None:
        self.run(lambda connection: [statements.release(connection, grant) for grant in grants])

    def fence(self, grant: Grant) -> None:
        self.run(lambda connection: statements.fence(connection, grant))

    def settle(self, *grants: Grant) -> list[Grant]:
        return self.run(lambda connection: statements.settle(connection, grants))

    def end_dead(self, *grants: Grant) -> list[Grant]:
        return self.run(lambda connection: statements.end_dead(connection, grants))

    def renew(self, holder: str = "anna", ttl: float = 60.0) -> frozenset[tuple[str, int]]:
        return self.run(statements.renewing(holder, ttl, 0.5)).pairs

    def make_stale(self, *names: str) -> None:
        """Let the ttl be over, as if the database's clock had moved on."""
        past = "clock_timestamp() - interval '1 second'" if self.postgresql else "expires_at - 1000000.0"
        with self.transaction() as connection:
            for name in names:
                connection.execute(text(f"UPDATE lease SET expires_at = {past} WHERE name = :name"), {"name": name})

    def value(self, sql: str, **values: Any) -> Any:
        return self.run(lambda connection: connection.execute(text(sql), values).scalar())


@dataclass
class Recorder:
    """An `on_event` that remembers."""

    all: list[events.Event] = field(default_factory=list)

    def __call__(self, event: events.Event) -> None:
        self.all.append(event)

    def of(self, kind: type[E]) -> list[E]:
        return [one for one in list(self.all) if isinstance(one, kind)]

    def wait_for(self, kind: type[E], *, number: int = 1) -> E:
        wait_until(lambda: len(self.of(kind)) >= number, f"{number} of {kind.__name__} in {self.all}")
        return self.of(kind)[number - 1]


async def until(condition: Callable[[], object]) -> None:
    """Return once `condition()` is true; TimeoutError after a while."""
    with anyio.fail_after(LIMIT):
        while not condition():  # noqa: ASYNC110 - what happens elsewhere sets no event here
            await asyncio.sleep(0.002)


@asynccontextmanager
async def opened(url: str, timeout: float = LIMIT) -> AsyncIterator[OwnDatabase]:
    """Open the database as a client does, with one connection."""
    database = open_database(url, timeout=timeout, connections=1)
    try:
        yield database
    finally:
        await database.close()


@contextmanager
def in_thread(work: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """Run ``work`` in a thread; call what is given to wait for what it returned."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result() -> T:
        thread.join(LIMIT)
        assert not thread.is_alive(), f"not done within {LIMIT:g} s"
        if errors:
            raise errors[0]
        return results[0]

    yield result
    thread.join(LIMIT)
