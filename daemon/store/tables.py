"""The daemon's tables, on PostgreSQL and SQLite; a change here needs a migration.

The states of `daemon.states` are CHECK constraints.
"""

from typing import Any, get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from lease.database.dialects import Instant, Name

from ..states import Cause, JobState, ReplicaState, RunState

metadata = MetaData()

_Id = BigInteger().with_variant(Integer, "sqlite")


def _one_of(column: str, states: Any) -> str:
    return f"{column} IN ({', '.join(repr(state) for state in get_args(states))})"


def _where(condition: str) -> dict[str, Any]:
    """Return the options that make an index partial on both databases."""
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


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
    Column("paused_at", Instant),
    Column("paused_by", Text),
    Column("retired_at", Instant),
    Column("changed_at", Instant, nullable=False),
    Column("synced_at", Instant),  # the same; a sync of an older version leaves it behind, and is refused
    Column("created_at", Instant, nullable=False),
    Column("abandoned", Integer, nullable=False, server_default="0"),  # attempts of its runs since one last succeeded
    PrimaryKeyConstraint("application", "name", name="schedule_pkey"),
    CheckConstraint("retired_at IS NULL OR next_due IS NULL", name="schedule_retired_has_no_instants"),
    CheckConstraint("(stretch_reason IS NULL) = (stretch_count IS NULL)", name="schedule_stretch"),
    Index(
        "schedule_due_idx",
        "application",
        "next_due",
        **_where("next_due IS NOT NULL"),
    ),
    postgresql_with={"fillfactor": "80"},
)

run = Table(
    "run",
    metadata,
    Column("id", _Id, Identity(), primary_key=True),
    Column("application", Name, nullable=False),
    Column("schedule", Name, nullable=False),
    Column("scheduled_for", Instant, nullable=False),
    Column("last_scheduled_for", Instant),  # the last instant that a counted row stands for
    Column("count", BigInteger, nullable=False, server_default="1"),
    Column("trigger", Text, nullable=False),  # its Cause: schedule or manual
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("lease_name", Text, nullable=False),
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
    Column("overlapped", BigInteger),  # the run that was not over when this one was due, and so is skipped
    Column("overlapped_by", Text),  # who had that run then
    Column("away_from", Instant),  # of one that was missed: since when nothing was up, until it was planned
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    ForeignKeyConstraint(
        ["application", "schedule"], ["schedule.application", "schedule.name"], name="run_schedule_fkey"
    ),
    CheckConstraint(_one_of("state", RunState), name="run_state"),
    CheckConstraint(_one_of("trigger", Cause), name="run_trigger"),
    CheckConstraint("count >= 1", name="run_count"),
    CheckConstraint("(token IS NULL) = (holder IS NULL)", name="run_grant"),
    CheckConstraint("state <> 'running' OR (token IS NOT NULL AND started_at IS NOT NULL)", name="run_running"),
    CheckConstraint("(finished_at IS NULL) = (state IN ('pending', 'running'))", name="run_over"),
    CheckConstraint("state NOT IN ('failed', 'cancelled', 'skipped') OR reason IS NOT NULL", name="run_reason"),
    # For the claim: only runs that may start (rule 14).
    Index(
        "run_claim_idx",
        "application",
        "available_at",
        "id",
        **_where("state = 'pending' AND available_at IS NOT NULL"),
    ),
    Index("run_start_by_idx", "application", "start_by", **_where("state = 'pending' AND start_by IS NOT NULL")),
    Index("run_running_idx", "application", **_where("state = 'running'")),
    # Each due instant has one run (rule 13).
    Index(
        "run_instant_key",
        "application",
        "schedule",
        "scheduled_for",
        unique=True,
        **_where("trigger = 'schedule'"),
    ),
    Index("run_history_idx", "application", "schedule", "id"),
    # The last one: of two indexes that begin alike, SQLite, which has no statistics here, takes the newer.
    Index(
        "run_unfinished_idx",
        "application",
        "schedule",
        "scheduled_for",
        "id",
        **_where("state IN ('pending', 'running')"),
    ),
    postgresql_with={"fillfactor": "80"},
)

job_run = Table(
    "job_run",
    metadata,
    Column("id", _Id, Identity(), primary_key=True),
    Column("run_id", _Id, ForeignKey("run.id", name="job_run_run_fkey"), nullable=False),
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
    Column("keeper_pid", BigInteger),
    Column("keeper_start", BigInteger),  # clock ticks since boot
    Column("exit_status", BigInteger),
    Column("exit_signal", Integer),
    Column("peak_memory", BigInteger),  # bytes
    Column("lost_by", Text),  # its holder lost the lease: a LossKind
    Column("lost_why", Text),
    Column("work_ended_at", Instant),  # and its work ended then, whenever it was settled
    UniqueConstraint("run_id", "job", "attempt", name="job_run_attempt_key"),
    CheckConstraint(_one_of("state", JobState), name="job_run_state"),
    CheckConstraint("(finished_at IS NULL) = (state = 'running')", name="job_run_over"),
    CheckConstraint("(keeper_pid IS NULL) = (keeper_start IS NULL)", name="job_run_keeper"),
    # Progress changes no indexed column, so its updates stay heap-only.
    postgresql_with={"fillfactor": "70"},
)

job_output = Table(
    "job_output",
    metadata,
    Column("job_run_id", _Id, ForeignKey("job_run.id", name="job_output_job_run_fkey"), nullable=False),
    Column("start", BigInteger, nullable=False),  # the bytes that were printed before it
    Column("line", BigInteger, nullable=False),  # the ends of lines before it
    Column("text", Text, nullable=False),
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
    Column("changes", Text),  # what it changed when it came to rule
    Column("run_digests", Text, nullable=False),  # JSON: by schedule, its run_digest and one of all of it
    PrimaryKeyConstraint("application", "number", name="generation_pkey"),
    CheckConstraint("NOT rules OR ruled_at IS NOT NULL", name="generation_rules"),
    CheckConstraint("rules OR NOT in_lieu", name="generation_in_lieu"),
    Index("generation_ruler_key", "application", unique=True, **_where("rules")),
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
    Column("ready_at", Instant),
    Column("state", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("stopped_at", Instant),
    Column("blocked", Text),  # a sentence about the job that blocks its async jobs, while one does
    CheckConstraint(_one_of("state", ReplicaState), name="replica_state"),
    postgresql_with={"fillfactor": "70"},
)
