"""What people did, and what they requested: pauses with an end and a reason, runs for a later moment, runs that try
another one again or fill in an instant; deadlines; up to where the history was pruned; and the queues in which runs wait.

A version that knows no end of a pause would record as paused what is due after it, too. The database
refuses that (as in 0005): one that knows it ends the pause with the plan that gets beyond it. And a version
that knows no runs for a later moment would let one start at the end of another: the database passes over such
a run, and whoever knows it gives it its place. And one that knows no queues would leave a run that it adopts in that of
its former definition, where nobody might look: the database takes it out.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from daemon.store.migrations.state import schema_name
from lease.database.backend import quoted

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT: sa.types.TypeEngine[Any] = sa.Double().with_variant(TIMESTAMP(timezone=True), "postgresql")
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
PAUSE_HAS_ENDED = "NEW.paused_until IS NOT NULL AND NEW.planned_until >= NEW.paused_until"
REFUSAL = (
    "this replica is of an older version of leased than the tables of the database, which knows no end of a pause, "
    "so it may not plan what is due after one; restart it with the newer version, or `leased resume --all`"
)
STARTS_BEFORE_ITS_PLACE = (
    "OLD.state = 'pending' AND NEW.state = 'pending' "
    "AND NEW.place_at IS NOT NULL AND OLD.available_at IS NULL AND NEW.available_at IS NOT NULL"
)
ADOPTED = (
    "OLD.state = 'pending' AND NEW.state = 'pending' "
    "AND NEW.digest IS DISTINCT FROM OLD.digest AND NEW.queue IS NOT NULL AND NEW.queue = OLD.queue"
)
_IN_TURN = ["application", "schedule", "scheduled_for", "id"]
ACTS = ("trigger", "pause", "resume", "cancel", "retry", "backfill", "forget")


def upgrade() -> None:
    """Add the columns and tables, on PostgreSQL or SQLite; an older version leaves them empty."""
    schema = schema_name(op.get_context())
    for column in (
        sa.Column("paused_why", sa.Text),
        sa.Column("paused_until", INSTANT),
    ):
        op.add_column("schedule", column, schema=schema)
    for column in (
        sa.Column("place_at", INSTANT),
        sa.Column("finish_by", INSTANT),
        sa.Column("late_at", INSTANT),
        sa.Column("retry_of", ID),
        sa.Column("origin", ID),
        sa.Column("backfill", ID),
        sa.Column("forgotten_at", INSTANT),
        sa.Column("forgotten_by", sa.Text),
        sa.Column("queue", sa.Text),
    ):
        op.add_column("run", column, schema=schema)
    op.add_column("job_run", sa.Column("carried_from", ID), schema=schema)
    _create_act(schema)
    _create_trigger_key(schema)
    _create_backfill(schema)
    _create_pruned(schema)
    _create_indexes(schema)
    _refuse_to_plan_past_a_pause(schema)
    _pass_over_unplaced(schema)
    _leave_queue_with_definition(schema)


def _leave_queue_with_definition(schema: str | None) -> None:
    when = f"UPDATE OF digest ON {quoted(schema)}run"
    if schema is None:
        adopted = ADOPTED.replace("IS DISTINCT FROM", "IS NOT")
        then = "BEGIN UPDATE run SET queue = NULL WHERE id = NEW.id; END"
        op.execute(f"CREATE TRIGGER run_leaves_queue AFTER {when} WHEN {adopted} {then}")
    else:
        function = f"{quoted(schema)}leased_leave_queue()"
        op.execute(
            f"CREATE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS "
            "$function$ BEGIN NEW.queue := NULL; RETURN NEW; END $function$"
        )
        op.execute(
            f"CREATE TRIGGER run_leaves_queue BEFORE {when} FOR EACH ROW WHEN ({ADOPTED}) EXECUTE FUNCTION {function}"
        )


def _pass_over_unplaced(schema: str | None) -> None:
    begin = "CREATE TRIGGER run_passes_over_unplaced BEFORE UPDATE OF available_at ON"
    if schema is None:
        op.execute(f"{begin} run WHEN {STARTS_BEFORE_ITS_PLACE} BEGIN SELECT RAISE(IGNORE); END")
    else:
        prefix = quoted(schema)
        op.execute(
            f"CREATE FUNCTION {prefix}leased_pass_over() RETURNS trigger LANGUAGE plpgsql AS "
            "$function$ BEGIN RETURN NULL; END $function$"
        )
        op.execute(
            f"{begin} {prefix}run FOR EACH ROW WHEN ({STARTS_BEFORE_ITS_PLACE}) "
            f"EXECUTE FUNCTION {prefix}leased_pass_over()"
        )


def _refuse_to_plan_past_a_pause(schema: str | None) -> None:
    begin = "CREATE TRIGGER schedule_refuses_older_plan BEFORE UPDATE OF planned_until ON"
    if schema is None:
        op.execute(
            f"{begin} schedule WHEN {PAUSE_HAS_ENDED} BEGIN SELECT json_extract('{{}}', '{REFUSAL}'); END"
        )  # not RAISE, for the reason in 0005
    else:
        prefix = quoted(schema)
        op.execute(
            f"{begin} {prefix}schedule FOR EACH ROW WHEN ({PAUSE_HAS_ENDED}) "
            f"EXECUTE FUNCTION {prefix}leased_refuse('{REFUSAL}')"
        )


def _create_act(schema: str | None) -> None:
    op.create_table(
        "act",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("acted_at", INSTANT, nullable=False),
        sa.Column("acted_by", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("application", NAME, nullable=False),
        sa.Column("schedule", NAME),
        sa.Column("run_id", ID),
        sa.Column("why", sa.Text),
        sa.Column("until", INSTANT),
        sa.Column("effect", sa.Text),
        sa.CheckConstraint(f"act IN ({', '.join(map(repr, ACTS))})", name="act_act"),
        schema=schema,
    )


def _create_trigger_key(schema: str | None) -> None:
    op.create_table(
        "trigger_key",
        sa.Column("application", NAME, nullable=False),
        sa.Column("schedule", NAME, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("application", "schedule", "key", name="trigger_key_pkey"),
        schema=schema,
    )


def _create_pruned(schema: str | None) -> None:
    op.create_table(
        "pruned",
        sa.Column("application", NAME, nullable=False),
        sa.Column("schedule", NAME, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("application", "schedule", name="pruned_pkey"),
        sa.ForeignKeyConstraint(["application", "schedule"], _key_of_schedule(schema), name="pruned_schedule_fkey"),
        schema=schema,
    )


def _key_of_schedule(schema: str | None) -> list[str]:
    return [f"{schema}.schedule.{column}" if schema else f"schedule.{column}" for column in ("application", "name")]


def _create_backfill(schema: str | None) -> None:
    op.create_table(
        "backfill",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("application", NAME, nullable=False),
        sa.Column("schedule", NAME, nullable=False),
        sa.Column("first", INSTANT, nullable=False),
        sa.Column("last", INSTANT, nullable=False),
        sa.Column("at_most", sa.Integer, nullable=False),
        sa.Column("instants", sa.BigInteger, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("requested_why", sa.Text),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("paused_at", INSTANT),
        sa.Column("cancelled_at", INSTANT),
        sa.Column("placed_at", INSTANT),
        sa.ForeignKeyConstraint(["application", "schedule"], _key_of_schedule(schema), name="backfill_schedule_fkey"),
        sa.CheckConstraint("at_most >= 1", name="backfill_at_most"),
        schema=schema,
    )


def _create_indexes(schema: str | None) -> None:
    _index("act_recent_idx", "act", ["acted_at"], schema)
    _index("act_schedule_idx", "act", ["application", "schedule", "acted_at"], schema)
    _index("backfill_schedule_idx", "backfill", ["application", "schedule", "id"], schema)
    _index("run_place_idx", "run", ["application", "place_at"], schema, where="place_at IS NOT NULL")
    _index("run_retry_key", "run", ["retry_of"], schema, where="retry_of IS NOT NULL", unique=True)
    still_open = "placed_at IS NULL AND cancelled_at IS NULL"
    _index("backfill_open_idx", "backfill", ["application", "id"], schema, where=still_open)
    of_backfill = ["backfill", "state", "place_at", "scheduled_for"]
    _index("run_backfill_idx", "run", of_backfill, schema, where="backfill IS NOT NULL")
    _index("run_failed_idx", "run", ["application", "schedule", "finished_at"], schema, where="state = 'failed'")
    unfinished_and_untold = "finish_by IS NOT NULL AND late_at IS NULL AND state IN ('pending', 'running')"
    _index("run_finish_by_idx", "run", ["application", "finish_by"], schema, where=unfinished_and_untold)
    op.drop_index("run_claim_idx", "run", schema=schema)
    may_start = "state = 'pending' AND available_at IS NOT NULL AND queue IS"
    _index("run_claim_idx", "run", ["application", "available_at", "id"], schema, where=f"{may_start} NULL")
    in_queue = ["application", "queue", "available_at", "id"]
    _index("run_queue_idx", "run", in_queue, schema, where=f"{may_start} NOT NULL")
    if schema is None:
        _put_unfinished_last()
    unfinished_and_placed = "state IN ('pending', 'running') AND (place_at IS NULL OR available_at IS NOT NULL)"
    _index("run_placed_idx", "run", _IN_TURN, schema, where=unfinished_and_placed)


def _put_unfinished_last() -> None:
    """Make the index of the runs that are not over anew: of two that begin alike, SQLite, which has no statistics
    here, takes the newer one.
    """
    op.drop_index("run_unfinished_idx")
    _index("run_unfinished_idx", "run", _IN_TURN, None, where="state IN ('pending', 'running')")


def _index(
    name: str, table: str, columns: list[str], schema: str | None, *, where: str | None = None, unique: bool = False
) -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        name, table, columns, schema=schema, unique=unique, postgresql_where=condition, sqlite_where=condition
    )


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
