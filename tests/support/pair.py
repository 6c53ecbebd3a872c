"""A PostgreSQL server and its synchronous standby, which has every acknowledged commit."""

from collections.abc import Callable, Sequence
from typing import Self

import psycopg

from .binaries import Binaries
from .postgres import PostgresServer
from .waiting import wait_until

# A standby that has lost its primary looks for it again soon: commits wait for it.
CONFIG = ("wal_retrieve_retry_interval = 100ms",)


class Pair:
    """A primary and its standby; `fail_over` puts the standby in the primary's place."""

    def __init__(
        self,
        programs: Binaries,
        *,
        config: Sequence[str] = (),
        server: Callable[..., PostgresServer] = PostgresServer,
    ) -> None:
        self._programs = programs
        self._config = (*CONFIG, *config)
        self._server = server
        self.primary = server(programs, config=self._config)
        self.standby: PostgresServer | None = None

    def __enter__(self) -> Self:
        try:
            self.primary.start()
            self.follow()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def follow(self) -> None:
        """Give the primary a new standby, for which its commits wait from now on."""
        self.standby = self._server(self._programs, config=self._config, standby_of=self.primary)
        self.standby.start()
        # Only now: commits would wait for a standby that has not come yet.
        wait_until(lambda: self._follows("streaming"), "the standby follows")
        self.primary.psql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.psql("SELECT pg_reload_conf()")
        self.wait_for_standby()

    def wait_for_standby(self) -> None:
        """Return once the standby has all that was committed, and commits wait for it."""
        wait_until(lambda: self._follows("sync"), "the standby follows synchronously")

    def fail_over(self) -> None:
        """Kill the primary and promote the standby; there is no standby until `follow`."""
        assert self.standby is not None
        self.primary.kill9()
        self.primary.remove()
        self.primary, self.standby = self.standby, None
        assert self.primary.psql("SELECT pg_promote()") == [(True,)]

    def _follows(self, how: str) -> bool:
        query = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND '{}' IN (state, sync_state)"
        try:
            return self.primary.psql(query.format(how)) == [(1,)]
        except psycopg.OperationalError:
            return False

    def _remove(self) -> None:
        self.primary.remove()
        if self.standby is not None:
            self.standby.remove()
