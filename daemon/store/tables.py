"""The daemon's tables, on PostgreSQL and SQLite, with the states as constraints; a change of one needs a migration.

Below them: what a schedule is called, and how values are made of rows.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any, Generic, TypeVar, get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    FromClause,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    Table,
    Text,
    UniqueConstraint,
    func,
    literal,
    select,
    text,
)

from lease.database.dialects import Instant, Name

from ..states import Act, Cause, DeliveryEnd, JobState, ReplicaState, RunState

metadata = MetaData()

Id = BigInteger().with_variant(Integer, "sqlite")


def one_of(column: str, states: Any) -> str:
    """Return the condition that a column has one of these states, a Literal of them."""
    return f"{column} IN ({', '.join(repr(state) for state in get_args(states))})"


def _index(name: str, columns: str, condition: str | None = None, *, unique: bool = False) -> Index:
    """Return an index of these columns, which stand in one string; with a condition, of the rows alone that meet it."""
    where = None if condition is None else text(condition)
    return Index(name, *columns.split(), unique=unique, postgresql_where=where, sqlite_where=where)


schedule = Table(
    "schedule",
    metadata,
    Column("application", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("definition", Text, nullable=False),  # JSON, from Schedule.canonical()
    Column("digest", Text, nullable=False),
    Column("run_digest", Text),  # of what execution reads of it, from Schedule.run_digest()
    Column("trigger", Text, nullable=False),  # for people: cron 0 2 * * *
    Column("enabled", Boolean, nullable=False),
    Column("next_due", Instant),
    Column("planned_until", Instant, nullable=False),  # instants up to and including this one have their runs
    Column("anchor", Instant, nullable=False),  # the instant from which an interval counts
    Column("stretch_reason", Text),  # why the latest instants did not run
    Column("stretch_count", BigInteger),
    Column("stretch_from", Instant),  # the first instant of the counted row of this stretch
    Column("paused_at", Instant),  # with the three below; all are cleared when what was due until the end is planned
    Column("paused_by", Text),
    Column("paused_why", Text),
    Column("paused_until", Instant),  # it ends by itself then; NULL: until it is resumed
    Column("retired_at", Instant),
    Column("retired_by", Text),  # "generation 2", or who retired its application; NULL: not known
    Column("changed_at", Instant, nullable=False),
    Column("synced_at", Instant),  # the same; a sync of an older version leaves it behind, and is refused
    Column("created_at", Instant, nullable=False),
    Column("abandoned", Integer, nullable=False, server_default="0"),  # attempts of its runs since one last succeeded
    Column("called", Text),  # its name, where that is not (or was once not) the name of the row, which never changes
    Column("former", Text),  # JSON: the names that it had, the newest first
    PrimaryKeyConstraint("application", "name", name="schedule_pkey"),
    CheckConstraint("retired_at IS NULL OR next_due IS NULL", name="schedule_retired_has_no_instants"),
    CheckConstraint("(stretch_reason IS NULL) = (stretch_count IS NULL)", name="schedule_stretch"),
    _index("schedule_due_idx", "application next_due", "next_due IS NOT NULL"),
    _index("schedule_called_key", "application called", "called IS NOT NULL", unique=True),
    postgresql_with={"fillfactor": "80"},
)

# Apart from `schedule`, whose rows requests lock: who prunes holds up none of them.
pruned = Table(
    "pruned",
    metadata,
    Column("application", Name, nullable=False),
    Column("schedule", Name, nullable=False),
    Column("until", Instant, nullable=False),  # runs of instants up to this one may be gone
    PrimaryKeyConstraint("application", "schedule", name="pruned_pkey"),
    ForeignKeyConstraint(
        ["application", "schedule"], ["schedule.application", "schedule.name"], name="pruned_schedule_fkey"
    ),
)

_UNFINISHED = "state IN ('pending', 'running')"
_MAY_START = "state = 'pending' AND available_at IS NOT NULL"

run = Table(
    "run",
    metadata,
    Column("id", Id, Identity(), primary_key=True),
    Column("application", Name, nullable=False),
    Column("schedule", Name, nullable=False),
    Column("scheduled_for", Instant, nullable=False),
    Column("last_scheduled_for", Instant),  # the last instant that a counted row stands for
    Column("count", BigInteger, nullable=False, server_default="1"),
    Column("trigger", Text, nullable=False),  # its Cause: schedule or manual
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("lease_name", Text, nullable=False),
    Column("queue", Text),  # in which it waits to be claimed; NULL: that of all without slots or priority
    Column("available_at", Instant),  # when it may start; NULL while it waits for its predecessor
    Column("start_by", Instant),  # it is missed if it has not started by then
    Column("token", BigInteger),  # of the latest grant, unless that was settled
    Column("holder", Text),
    Column("attempt", Integer, nullable=False, server_default="0"),  # the number of claims
    Column("claimed_attempt", Integer),  # the same since the latest claim; a claim of an older version is refused
    Column("abandoned", Integer, nullable=False, server_default="0"),  # attempts since a job last succeeded
    Column("params", Text, nullable=False, server_default="{}"),  # JSON
    Column("requested_by", Text),
    Column("requested_why", Text),
    Column("digest", Text),  # the schedule's run_digest when it was made, or adopted (rule 22)
    Column("adopted_from", Text),  # the digest that it had before
    Column("cancelled_at", Instant),  # it ends as soon as its work has
    Column("cancelled_by", Text),
    Column("cancelled_why", Text),
    # The run that was not over when this one was due, and so is skipped; or that replaced it.
    Column("overlapped", BigInteger),
    Column("overlapped_by", Text),  # who had that run then
    Column("away_from", Instant),  # of one that was missed: since when nothing was up, until it was planned
    Column("place_at", Instant),  # it was requested for then, and takes its place behind others only then
    Column("finish_by", Instant),  # it is late to finish if it has not succeeded by then
    Column("late_at", Instant),  # when that was told, by one replica
    Column("told_long", Integer),  # the highest level that was told of its long duration: 1 for the first
    Column("retry_of", Id),  # the run that it tries again
    Column("origin", Id),  # of a retry: the run whose number is in its idempotency keys; NULL: its instant is
    Column("backfill", Id),  # what requested it for its instant
    Column("forgotten_at", Instant),  # its params, reasons, errors and output were deleted then
    Column("forgotten_by", Text),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("look_asked_at", Instant),  # somebody waits for its replica to look what it does; NULL: nobody
    Column("look_asked_by", Text),
    Column("look", Text),  # JSON: what the replica saw last
    Column("looked_at", Instant),
    Column("traceparent", Text),  # the span of its request, as W3C Trace Context writes it; NULL: there is none
    ForeignKeyConstraint(
        ["application", "schedule"], ["schedule.application", "schedule.name"], name="run_schedule_fkey"
    ),
    CheckConstraint(one_of("state", RunState), name="run_state"),
    CheckConstraint(one_of("trigger", Cause), name="run_trigger"),
    CheckConstraint("count >= 1", name="run_count"),
    CheckConstraint("(token IS NULL) = (holder IS NULL)", name="run_grant"),
    CheckConstraint("state <> 'running' OR (token IS NOT NULL AND started_at IS NOT NULL)", name="run_running"),
    CheckConstraint(f"(finished_at IS NULL) = ({_UNFINISHED})", name="run_over"),
    CheckConstraint("state NOT IN ('failed', 'cancelled', 'skipped') OR reason IS NOT NULL", name="run_reason"),
    # For the claim: only runs that may start (rule 14); those of each queue apart, so that one that is long holds up no other.
    _index("run_claim_idx", "application available_at id", f"{_MAY_START} AND queue IS NULL"),
    _index("run_queue_idx", "application queue available_at id", f"{_MAY_START} AND queue IS NOT NULL"),
    _index("run_start_by_idx", "application start_by", "state = 'pending' AND start_by IS NOT NULL"),
    _index("run_running_idx", "application", "state = 'running'"),
    # Each due instant has one run (rule 13).
    _index("run_instant_key", "application schedule scheduled_for", "trigger = 'schedule'", unique=True),
    _index("run_history_idx", "application schedule id"),
    _index("run_place_idx", "application place_at", "place_at IS NOT NULL"),
    # A run is tried again once; who does it again is told of that one.
    _index("run_retry_key", "retry_of", "retry_of IS NOT NULL", unique=True),
    _index("run_backfill_idx", "backfill state place_at scheduled_for", "backfill IS NOT NULL"),
    # What was missed lately, and whether any was skipped by overlap.
    _index("run_skipped_idx", "application schedule reason finished_at", "state = 'skipped'"),
    _index("run_failed_idx", "application schedule finished_at", "state = 'failed'"),
    # Only what was late: the end of any other run costs nothing.
    _index("run_late_idx", "application schedule finished_at", "state = 'succeeded' AND finish_by < finished_at"),
    _index(
        "run_finish_by_idx", "application finish_by", f"finish_by IS NOT NULL AND late_at IS NULL AND {_UNFINISHED}"
    ),
    # The last ones: of two indexes that begin alike, SQLite, which has no statistics here, takes the newer.
    _index("run_unfinished_idx", "application schedule scheduled_for id", _UNFINISHED),
    # The same but for unplaced ones: 10⁵ that were requested for later hold up none of their schedule (rule 23).
    _index(
        "run_placed_idx",
        "application schedule scheduled_for id",
        f"{_UNFINISHED} AND (place_at IS NULL OR available_at IS NOT NULL)",
    ),
    postgresql_with={"fillfactor": "80"},
)


job_run = Table(
    "job_run",
    metadata,
    Column("id", Id, Identity(), primary_key=True),
    Column("run_id", Id, ForeignKey("run.id", name="job_run_run_fkey"), nullable=False),
    Column("job", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("error", Text),
    Column("log_tail", Text),  # what is not in job_output; of 0.1.0 the last 8 KiB
    Column("tail_start", BigInteger),  # the bytes that were printed before it
    Column("tail_line", BigInteger),  # the ends of lines before it
    Column("done", Double),
    Column("total", Double),
    Column("message", Text),
    Column("progress_at", Instant),  # when it last reported these
    Column("keeper_pid", BigInteger),
    Column("keeper_start", BigInteger),  # clock ticks since boot
    Column("exit_status", BigInteger),
    Column("exit_signal", Integer),
    Column("peak_memory", BigInteger),  # bytes
    Column("lost_by", Text),  # its holder lost the lease: a LossKind
    Column("lost_why", Text),
    Column("carried_from", Id),  # the attempt of an earlier run that succeeded, and is not done again
    Column("release", Text),  # of the replica that made the attempt
    Column("work_ended_at", Instant),  # and its work ended then, whenever it was settled
    Column("renewed_at", Instant),  # of one that was settled: the last renewal of its grant
    UniqueConstraint("run_id", "job", "attempt", name="job_run_attempt_key"),
    CheckConstraint(one_of("state", JobState), name="job_run_state"),
    CheckConstraint("(finished_at IS NULL) = (state = 'running')", name="job_run_over"),
    CheckConstraint("(keeper_pid IS NULL) = (keeper_start IS NULL)", name="job_run_keeper"),
    # Progress changes no indexed column, so its updates stay heap-only.
    postgresql_with={"fillfactor": "70"},
)

job_output = Table(
    "job_output",
    metadata,
    Column("job_run_id", Id, ForeignKey("job_run.id", name="job_output_job_run_fkey"), nullable=False),
    Column("start", BigInteger, nullable=False),  # the bytes that were printed before it
    Column("line", BigInteger, nullable=False),  # the ends of lines before it
    Column("text", Text, nullable=False),
    Column("saved_at", Instant),  # when it was last written: soon after its end was printed
    PrimaryKeyConstraint("job_run_id", "start", name="job_output_pkey"),
)


generation = Table(
    "generation",
    metadata,
    Column("application", Name, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),  # of all definitions, from Application.digest
    Column("revision", BigInteger),  # what it counts as in the order; NULL: none
    Column("brought_by", Text, nullable=False),  # the replica or the person
    Column("came_at", Instant, nullable=False),
    Column("ruled_at", Instant),  # when its definitions last came into the database; NULL: staged
    Column("superseded_at", Instant),  # when its definitions last gave way to others
    Column("rules", Boolean, nullable=False),
    Column("in_lieu", Boolean, nullable=False),  # it stands in for a newer one
    Column("changes", Text),  # what it changed when it became active
    Column("diff", Text),  # JSON: by schedule that it changed, and by setting, what was before and what is after
    Column("replaced", BigInteger),  # a generation of which it kept no schedule when it became active
    Column("acknowledged_at", Instant),  # somebody has said that this is right
    Column("acknowledged_by", Text),
    Column("discounted_at", Instant),  # its revision does not count since: a take-over had a lower one
    Column("run_digests", Text, nullable=False),  # JSON: by schedule, its run_digest and one of all of it
    PrimaryKeyConstraint("application", "number", name="generation_pkey"),
    CheckConstraint("NOT rules OR ruled_at IS NOT NULL", name="generation_rules"),
    CheckConstraint("rules OR NOT in_lieu", name="generation_in_lieu"),
    _index("generation_ruler_key", "application", "rules", unique=True),
)

replica = Table(
    "replica",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("application", Name, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("start_time", BigInteger, nullable=False),  # clock ticks since boot
    Column("boot_id", Text),
    Column("pid_namespace", Text),
    Column("version", Text, nullable=False),
    Column("digest", Text),  # of its definitions; NULL: of 0.1.0
    Column("revision", BigInteger),  # its own, whatever its generation counts as
    Column("requires_revision", Boolean),  # it runs only what no replica of a higher one may run
    Column("release", Text),  # which code it runs; NULL: not known
    Column("concurrency", BigInteger),  # how many runs it runs at a time; NULL: an older version registered it
    Column("ready_at", Instant),
    Column("state", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("stopped_at", Instant),
    Column("blocked", Text),  # a sentence about the job that blocks its async jobs, while one does
    CheckConstraint(one_of("state", ReplicaState), name="replica_state"),
    postgresql_with={"fillfactor": "70"},
)


act = Table(
    "act",
    metadata,
    Column("id", Id, Identity(), primary_key=True),
    Column("acted_at", Instant, nullable=False),
    Column("acted_by", Text, nullable=False),
    Column("act", Text, nullable=False),  # an Act
    Column("application", Name, nullable=False),
    Column("schedule", Name),
    Column("run_id", Id),  # which may have been pruned
    Column("why", Text),
    Column("until", Instant),  # of a pause: it ends by itself then
    Column("effect", Text),  # a sentence, where that is not plain from the rest
    CheckConstraint(one_of("act", Act), name="act_act"),
    _index("act_recent_idx", "acted_at"),
    _index("act_schedule_idx", "application schedule acted_at"),
)

trigger_key = Table(
    "trigger_key",
    metadata,
    Column("application", Name, nullable=False),
    Column("schedule", Name, nullable=False),
    Column("key", Text, nullable=False),
    Column("run_id", Id, nullable=False),  # which may have been pruned
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("application", "schedule", "key", name="trigger_key_pkey"),
)

backfill = Table(
    "backfill",
    metadata,
    Column("id", Id, Identity(), primary_key=True),
    Column("application", Name, nullable=False),
    Column("schedule", Name, nullable=False),
    Column("first", Instant, nullable=False),
    Column("last", Instant, nullable=False),
    Column("at_most", Integer, nullable=False),  # runs of it at a time
    Column("instants", BigInteger, nullable=False),  # so many were to run
    Column("requested_by", Text, nullable=False),
    Column("requested_why", Text),
    Column("created_at", Instant, nullable=False),
    Column("paused_at", Instant),
    Column("cancelled_at", Instant),
    Column("placed_at", Instant),  # the last of its runs had taken its place, or was cancelled
    ForeignKeyConstraint(
        ["application", "schedule"], ["schedule.application", "schedule.name"], name="backfill_schedule_fkey"
    ),
    CheckConstraint("at_most >= 1", name="backfill_at_most"),
    _index("backfill_schedule_idx", "application schedule id"),
    # For the look: only those of which a run may still wait for its place.
    _index("backfill_open_idx", "application id", "placed_at IS NULL AND cancelled_at IS NULL"),
)


delivery = Table(
    "delivery",
    metadata,
    Column("id", Id, Identity(), primary_key=True),
    Column("application", Name, nullable=False),
    Column("schedule", Name, nullable=False),  # the key of its row
    Column("run_id", Id),  # which may have been pruned
    Column("kind", Text, nullable=False),  # a DeliveryKind; a later version may know more
    Column("target", Text, nullable=False),  # JSON: where and how; no secrets, but the names of their variables
    Column("count", BigInteger, nullable=False, server_default="1"),  # of what it tells
    Column("created_at", Instant, nullable=False),
    Column("available_at", Instant, nullable=False),  # when it may be sent, or sent again
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("held", Boolean, nullable=False),  # too many of its kind: the next attempt folds them
    Column("folded", Integer, nullable=False, server_default="0"),  # so many others it tells as well
    Column("error", Text),  # of the last attempt that failed
    Column("done_at", Instant),
    Column("outcome", Text),  # a DeliveryEnd; NULL: it waits
    CheckConstraint(one_of("outcome", DeliveryEnd), name="delivery_outcome"),
    CheckConstraint("(done_at IS NULL) = (outcome IS NULL)", name="delivery_done"),
    _index("delivery_waiting_idx", "application target id", "done_at IS NULL"),
    _index("delivery_done_idx", "application done_at", "done_at IS NOT NULL"),
    _index("delivery_lost_idx", "application target", "outcome IN ('gone', 'given up')"),
)


# What a schedule is called: its row keeps the name under which it was first defined (rule 17)

ScheduleKey = tuple[str, str]
"""Its application and its name."""


def called(row: Row[Any]) -> str:
    """Return what the schedule of a row is called."""
    name: str = row.name if row.called is None else row.called
    return name


def former_names(row: Row[Any]) -> list[str]:
    """Return the names that the schedule of a row had, the newest first."""
    names: list[str] = [] if row.former is None else json.loads(row.former)
    return names


def present_name(of: Any) -> ColumnElement[str]:
    """Return what a schedule is called, of a table of schedules, or of what belongs to them."""
    if "called" in of.c:
        return func.coalesce(of.c.called, of.c.name, type_=of.c.name.type)
    key = of.c.schedule
    now = select(schedule.c.called).where(schedule.c.application == of.c.application, schedule.c.name == key)
    return func.coalesce(now.correlate(of).scalar_subquery(), key, type_=key.type).label("schedule")


def key_of(application: Any, name: Any) -> ColumnElement[str]:
    """Return the key of the row that is called so, otherwise ``name``: it may be the key of one that is there."""
    given = literal(name, Text) if isinstance(name, str) else name
    now = select(schedule.c.name).where(schedule.c.application == application, schedule.c.called == given)
    return func.coalesce(now.scalar_subquery(), given)


# Values of rows: each column fills the field that it is named for, in any order

T = TypeVar("T")


class Reader(Generic[T]):
    """The columns of a query that fill fields of ``kind``, a dataclass or named tuple: those of ``table`` that have the
    name of a field, ``but`` for some, and those that are given.

    In the query they come first, labelled and in the order of its fields; what else a row has may follow.
    """

    def __init__(
        self,
        kind: type[T],
        table: FromClause | None = None,
        /,
        *,
        but: Collection[str] = (),
        **columns: ColumnElement[Any],
    ) -> None:
        fields: tuple[str, ...] = kind.__match_args__  # type: ignore[attr-defined]
        if unknown := columns.keys() - set(fields):
            raise TypeError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
        if table is not None:
            columns = {name: table.c[name] for name in fields if name in table.c and name not in but} | columns
        self._kind = kind
        self._names = [name for name in fields if name in columns]
        self._come_first = self._names == list(fields[: len(columns)])
        self.columns = [_named(name, columns[name]) for name in self._names]

    def read(self, row: Sequence[Any], **more: Any) -> T:
        """Return the value of a row; ``more`` are the fields that are not in it."""
        filled = row[: len(self._names)]
        if self._come_first:
            return self._kind(*filled, **more)  # in half the time
        return self._kind(**dict(zip(self._names, filled, strict=True)), **more)


def _named(name: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    return column if getattr(column, "name", None) == name else column.label(name)
