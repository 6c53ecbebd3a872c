"""The tables of attempts of jobs, and of what they printed."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Identity,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from lease.database.dialects import Instant

from ...states import JobState
from .columns import Id, metadata, one_of

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
