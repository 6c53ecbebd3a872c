"""`Schedules`, as programs use it: what is to run and when, requests for runs, and a replica inside the program."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, Unpack

from lease.durations import Duration

from .definitions.sources.keywords import ReplicaKeywords
from .definitions.sources.schedule_set import ScheduleSet


class EmbeddedReplica(Protocol):
    """A replica inside a program, from `Schedules.replica`. Any thread can use it."""

    @property
    def label(self) -> str:
        """What others see of it: its host and process id."""

    @property
    def is_ready(self) -> bool:
        """Whether it claims runs now, because `problems()` is empty."""

    @property
    def failure(self) -> str | None:
        """Why it has stopped claiming runs although the block continues; None: it has not.

        Either work did not stop although it had to (rule 9), or an error ended the replica. Restart the program.
        """

    def problems(self) -> Mapping[str, str]:
        """Return each check that fails, with a message, as `/readyz` of `leased run` does."""


class EmbeddedKeywords(ReplicaKeywords, total=False):
    """The settings of a replica inside another program."""

    take_over: bool


class Schedules(ScheduleSet):
    """The schedules of one application. A wrong definition raises `DefinitionError` at once.

        schedules = Schedules("shop", timezone="Europe/Berlin")

        @schedules.cron("0 2 * * *", timeout="1h", retries=2)
        def nightly(run: Run) -> None: ...

    - ``name``: the application, whose replicas share the work.
    - ``revision``: orders these definitions among others of the application: a higher one supersedes.
    - ``require_revision``: runs start only on replicas of the highest revision that is ready.
    - ``calendars``: names for days, for `exclude`: dates, ranges and days of every year.
    - ``on_fact``: is called with each fact of a replica, in a thread of its own.

    All other settings are defaults for the schedules and their jobs. `env` is merged.
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
        """Request a run of the schedule ``name`` in your own transaction: the run exists if and only if that
        commits. Return its `run_id`, and in `already` whether the ``key`` was requested before.

        - ``params``: override the schedule's parameters.
        - ``connection``: a connection or session of SQLAlchemy, a connection of psycopg, psycopg2, asyncpg
          or sqlite3, or Django's ``connection``. Await the result for the async kinds.
        - ``key``: the same key is the same run of the schedule, even after that run has been deleted.
        - ``at``: a time, or a duration from now; by default the run starts now.
        - ``requested_by``, ``why``: are recorded; by default the user and the host, and no reason.
        - ``schema``: the schema of leased's tables on PostgreSQL; by default ``public``.

        On PostgreSQL the transaction can stay open: it locks no schedule. On SQLite keep it short. If the
        connection commits each statement by itself, leased uses a transaction of its own.

        Before anything is written it raises `NotFound` for an unknown schedule, `NotRecordable` for
        parameters that are not declared, have another type or cannot be stored, `InvalidInstant` for a
        wrong ``at``, and `LeaseError` for another kind of connection.
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
        """Run a replica inside this program, as ``async with schedules.replica(url)``. The block starts when
        the replica is ready.

        ``url`` is the database's. The settings are those of `leased run`; those that you do not give come from the
        environment (``LEASED_GRACE``), or are the defaults. ``take_over=True`` makes these definitions active at once.

        At the end of the block, running jobs have `grace` to finish. Then they are stopped, and other
        replicas continue their runs. A cancellation during that time stops them at once.

        Entering the block raises `DaemonError` or `LeaseError` for wrong settings, no database, missing
        tables, or a function that no child process could import.
        """
        from .service.embedded import embedded  # noqa: PLC0415 - FILE needs none of it

        return embedded(self, url, settings)
