"""Faults of PostgreSQL: killed, restarted, failed over, slow, full, its backends ended."""

import contextlib
import threading

import psycopg

from tests.support.postgres import plain

from ..diary import boottime
from ..site import PostgresSite
from .fault import Scene, SiteFault


class _Server(SiteFault):
    on = PostgresSite

    @property
    def site(self) -> PostgresSite:
        assert isinstance(self.scene.site, PostgresSite)
        return self.scene.site


class KillServer(_Server):
    """SIGKILL to the postmaster, and recovery from the write-ahead log."""

    kind = "PostgreSQL killed"
    longest = 2.0
    outage = costs_leases = True

    def start(self) -> bool:
        self.site.server.kill9()
        return True

    def stop(self) -> None:
        self.site.server.start()
        self.site.pair.wait_for_standby()


class FreezeServer(_Server):
    """SIGSTOP to all its processes: connections stay open, but nothing answers."""

    kind = "PostgreSQL frozen"
    longest = 4.0
    outage = costs_leases = True

    def start(self) -> bool:
        self.site.server.pause()
        return True

    def stop(self) -> None:
        self.site.server.resume()


class RestartServer(KillServer):
    """A fast shutdown and a start."""

    kind = "PostgreSQL restarted"
    longest = 1.0

    def start(self) -> bool:
        self.site.server.stop("fast")
        return True


class FailOver(_Server):
    """The primary is killed, the synchronous standby takes over and gets a standby of its own."""

    kind = "failover"
    longest = 0.2
    outage = costs_leases = True

    def start(self) -> bool:
        self.site.fail_over()
        self.until = boottime()  # from here on the new primary works, while it gets its standby
        return True

    def stop(self) -> None:
        self.site.pair.follow()


class EndBackends(_Server):
    """Half of all connections are ended, in any state."""

    kind = "backends terminated"
    longest = 0.2

    def start(self) -> bool:
        ended = self.site.server.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND random() < 0.5"
        )
        return len(ended) > 0


class _Held(_Server):
    """A fault that a connection of its own causes for as long as it is open."""

    statements: tuple[str, ...] = ()
    connection: psycopg.Connection | None = None

    def start(self) -> bool:
        self.connection = psycopg.connect(plain(self.site.server.url()), autocommit=False)
        with contextlib.suppress(psycopg.Error):
            for statement in self.statements:
                self.connection.execute(statement.encode())
            return True
        return False

    def stop(self) -> None:
        if self.connection is not None:
            self.connection.close()


class LockTables(_Held):
    """The tables of leases and runs are locked against all writes."""

    kind = "tables locked"
    longest = 4.0
    outage = costs_leases = True
    statements = ("SET lock_timeout = '1s'", "LOCK TABLE lease, run IN SHARE MODE")


class LockBriefly(LockTables):
    """The tables are locked against writes for less than the tolerated outage."""

    kind = "tables locked briefly"
    longest = 0.5
    costs_leases = False


class LongTransaction(_Held):
    """A transaction stays open: the clean-up of old rows waits for it."""

    kind = "long transaction"
    longest = 8.0
    statements = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM lease")


class Checkpoints(_Server):
    """Checkpoints run one after the other."""

    kind = "checkpoints"
    longest = 2.0

    def start(self) -> bool:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()
        return True

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._over.wait(0.2):
            with contextlib.suppress(psycopg.Error):
                self.site.server.psql("CHECKPOINT")


class TakeConnections(_Server):
    """All connections of the server are in use: pools cannot open new ones."""

    kind = "connections exhausted"
    longest = 1.5
    costs_leases = True
    MOST = 400

    def start(self) -> bool:
        self._taken: list[psycopg.Connection] = []
        with contextlib.suppress(psycopg.OperationalError):
            while len(self._taken) < self.MOST:
                self._taken.append(psycopg.connect(plain(self.site.server.url())))
        return True

    def stop(self) -> None:
        for connection in self._taken:
            connection.close()


class KillPooler(_Server):
    """SIGKILL to PgBouncer, through which one replica connects."""

    kind = "PgBouncer killed"
    reaches = "south"
    longest = 1.0
    costs_leases = True

    @classmethod
    def possible(cls, scene: Scene) -> bool:
        return isinstance(scene.site, PostgresSite) and scene.site.pooler is not None

    def start(self) -> bool:
        assert self.site.pooler is not None
        self.site.pooler.kill()
        return True

    def stop(self) -> None:
        assert self.site.pooler is not None
        self.site.pooler.start()
