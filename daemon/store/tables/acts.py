"""The tables of what people did, and of what they requested in one go or once."""

from sqlalchemy import (
    BigInteger,
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

from ...states import Act
from .columns import Id, metadata, one_of, where

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
    Index("act_recent_idx", "acted_at"),
    Index("act_schedule_idx", "application", "schedule", "acted_at"),
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
    Index("backfill_schedule_idx", "application", "schedule", "id"),
    # For the look: only those of which a run may still wait for its place.
    Index("backfill_open_idx", "application", "id", **where("placed_at IS NULL AND cancelled_at IS NULL")),
)
