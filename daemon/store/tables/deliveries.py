"""The table of messages and pings: the transactional outbox."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Identity, Index, Integer, Table, Text

from lease.database.dialects import Instant, Name

from ...states import DeliveryEnd
from .columns import Id, metadata, one_of, where

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
    Index("delivery_waiting_idx", "application", "target", "id", **where("done_at IS NULL")),
    Index("delivery_done_idx", "application", "done_at", **where("done_at IS NOT NULL")),
    Index("delivery_lost_idx", "application", "target", **where("outcome IN ('gone', 'given up')")),
)
