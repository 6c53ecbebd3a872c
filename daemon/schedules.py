"""`Schedules`, as programs use it: what is to run and when, requests for runs, and a replica inside the program."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, Unpack

from lease.durations import Duration

from .definitions.sources.keywords import ReplicaKeywords
from .definitions.sources.schedule_set import ScheduleSet


class EmbeddedReplica(Protocol):
    """What `Schedules.replica` yields. For any thread."""

    @property
    def label(self) -> str:
        """What others see of it: the host and the process id."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether it claims runs now: `problems` has none."""
        ...

    @property
    def failure(self) -> str | None:
        """Why it claims nothing any more although the block goes on, if that is so: work that does not end
        although it must (rule 9), or an error that has ended the replica. Nothing but a new start of the program helps.
        """
        ...

    def problems(self) -> Mapping[str, str]:
        """Return a sentence for each check that fails, as `/readyz` of `leased run` does."""
        ...


class EmbeddedKeywords(ReplicaKeywords, total=False):
    """The settings of a replica inside another program."""

    take_over: bool


class Schedules(ScheduleSet):
    """The schedules of one application; what is wrong with one is a `DefinitionError` at once.

    ``revision`` orders these definitions among others of the application: a higher one supersedes.
    With ``require_revision``, runs only on replicas of the highest revision of which one is ready.
    ``calendars`` gives names to days, for `exclude`: dates, ranges and days of every year, as strings
    or `date`. ``on_fact`` is called with each fact of a replica (`daemon.telemetry.facts`), in a thread
    of its own. Further settings are defaults of the schedules and their jobs; `env` is merged.
    """

    def trigger(
        self,
        name: str,
        params: Mapping[str, Any] | None = None,
        *,
        connection: Any,
        key: str | None = None,
        at: datetime | Duration | None = None,
        requested_by: str | None = None,
        why: str | None = None,
        schema: str | None = None,
    ) -> Any:
        """Request a run of a schedule in the caller's own transaction: it exists if and only if that
        commits. Return it (`run_id`, `already`), to be awaited where ``connection`` is an async one.

        ``connection`` is a connection or session of SQLAlchemy (sync or async), a connection of
        psycopg (sync or async), psycopg2, asyncpg or sqlite3, or Django's. One that commits each
        statement by itself gets a transaction of its own. The transaction may be open for as long as
        it likes (not on SQLite, which has one writer): no schedule is locked, and nothing is set.

        The same ``key`` of a schedule is the same run, even if that has been pruned. ``at`` an
        instant, or after a duration, it starts then. ``requested_by`` is by default the user and the
        host. ``schema`` is where leased's tables are on PostgreSQL, if not in ``public``.

        Before anything is written it raises `NotFound` for a schedule that is not in the database,
        `NotRecordable` for parameters that it does not declare, or of another type, and for what
        cannot be kept, `InvalidInstant`, and `LeaseError` for another kind of connection.
        """
        from .operations import in_transaction  # noqa: PLC0415 - loads the database layer, which FILE does not need

        self.use()
        return in_transaction.trigger(
            self.name,
            name,
            params,
            connection=connection,
            key=key,
            at=at,
            requested_by=requested_by,
            why=why,
            schema=schema,
        )

    def replica(
        self, url: str, /, **settings: Unpack[EmbeddedKeywords]
    ) -> AbstractAsyncContextManager[EmbeddedReplica]:
        """Run a replica inside this program during ``async with``, which it enters once it is ready.

        ``url`` is that of the database; the settings are those of `leased run`, and what is not given of them
        comes out of the environment. At the end running jobs have `grace` to finish, then they are stopped and
        handed over. A cancellation while it ends stops them at once. Entering raises `DaemonError` or
        `LeaseError`: bad settings, no database, tables missing, or a job that no child could find.
        """
        from .service.embedding.embedded import embedded  # noqa: PLC0415 - FILE needs none of it

        return embedded(self, url, settings)
