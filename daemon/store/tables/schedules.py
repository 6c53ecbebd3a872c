"""The tables of schedules and of their runs."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from lease.database.dialects import Instant, Name

from ...states import Cause, RunState
from .columns import Id, metadata, one_of, where

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
    Index(
        "schedule_due_idx",
        "application",
        "next_due",
        **where("next_due IS NOT NULL"),
    ),
    Index("schedule_called_key", "application", "called", unique=True, **where("called IS NOT NULL")),
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
    Column(
        "overlapped", BigInteger
    ),  # the run that was not over when this one was due, and so is skipped; or that replaced it
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
    CheckConstraint("(finished_at IS NULL) = (state IN ('pending', 'running'))", name="run_over"),
    CheckConstraint("state NOT IN ('failed', 'cancelled', 'skipped') OR reason IS NOT NULL", name="run_reason"),
    # For the claim: only runs that may start (rule 14); those of each queue apart, so that one that is long holds up no other.
    Index(
        "run_claim_idx",
        "application",
        "available_at",
        "id",
        **where("state = 'pending' AND available_at IS NOT NULL AND queue IS NULL"),
    ),
    Index(
        "run_queue_idx",
        "application",
        "queue",
        "available_at",
        "id",
        **where("state = 'pending' AND available_at IS NOT NULL AND queue IS NOT NULL"),
    ),
    Index("run_start_by_idx", "application", "start_by", **where("state = 'pending' AND start_by IS NOT NULL")),
    Index("run_running_idx", "application", **where("state = 'running'")),
    # Each due instant has one run (rule 13).
    Index(
        "run_instant_key",
        "application",
        "schedule",
        "scheduled_for",
        unique=True,
        **where("trigger = 'schedule'"),
    ),
    Index("run_history_idx", "application", "schedule", "id"),
    Index("run_place_idx", "application", "place_at", **where("place_at IS NOT NULL")),
    # A run is tried again once; who does it again is told of that one.
    Index("run_retry_key", "retry_of", unique=True, **where("retry_of IS NOT NULL")),
    Index("run_backfill_idx", "backfill", "state", "place_at", "scheduled_for", **where("backfill IS NOT NULL")),
    # What was missed lately, and whether any was skipped by overlap.
    Index("run_skipped_idx", "application", "schedule", "reason", "finished_at", **where("state = 'skipped'")),
    Index("run_failed_idx", "application", "schedule", "finished_at", **where("state = 'failed'")),
    # Only what was late: the end of any other run costs nothing.
    Index(
        "run_late_idx",
        "application",
        "schedule",
        "finished_at",
        **where("state = 'succeeded' AND finish_by < finished_at"),
    ),
    Index(
        "run_finish_by_idx",
        "application",
        "finish_by",
        **where("finish_by IS NOT NULL AND late_at IS NULL AND state IN ('pending', 'running')"),
    ),
    # The last ones: of two indexes that begin alike, SQLite, which has no statistics here, takes the newer.
    Index(
        "run_unfinished_idx",
        "application",
        "schedule",
        "scheduled_for",
        "id",
        **where("state IN ('pending', 'running')"),
    ),
    # The same but for unplaced ones: 10⁵ that were requested for later hold up none of their schedule (rule 23).
    Index(
        "run_placed_idx",
        "application",
        "schedule",
        "scheduled_for",
        "id",
        **where("state IN ('pending', 'running') AND (place_at IS NULL OR available_at IS NOT NULL)"),
    ),
    postgresql_with={"fillfactor": "80"},
)
