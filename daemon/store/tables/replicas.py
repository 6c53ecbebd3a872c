"""The tables of replicas, and of the generations of definitions that they brought."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, PrimaryKeyConstraint, Table, Text

from lease.database.dialects import Instant, Name

from ...states import ReplicaState
from .columns import metadata, one_of, where

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
    Index("generation_ruler_key", "application", unique=True, **where("rules")),
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
