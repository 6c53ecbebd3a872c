"""The lease table of the library, and the tables of the daemon."""

from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.schema import CreateIndex, CreateTable

from daemon.store.migrations.state import schema_name
from lease import schema as lease_schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
INSTANT: sa.types.TypeEngine[Any] = sa.Double().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Create the tables, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    if context.is_offline_mode():
        _script_of_leases()
    else:
        lease_schema.create_tables(op.get_bind(), schema)
    _schedule(schema)
    _run(schema)
    _job_run(schema)
    _replica(schema)


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")


def _script_of_leases() -> None:
    dialect = op.get_context().dialect
    schema = schema_name(op.get_context())
    placed: dict[str, Any] = {"schema_translate_map": {None: schema}, "render_schema_translate": True} if schema else {}
    table = _first_version(lease_schema.lease)
    parts: list[CreateTable | CreateIndex] = [CreateTable(table, if_not_exists=True), *_indexes(table)]
    for part in parts:
        op.execute(str(part.compile(dialect=dialect, **placed)))
    if schema is not None:
        op.execute(lease_schema.functions(schema).rstrip().removesuffix(";"))


def _first_version(lease: sa.Table) -> sa.Table:
    """Return the table without the columns that later revisions add."""
    table = lease.to_metadata(sa.MetaData())
    for name in lease_schema.ADDED:
        table._columns.remove(table.c[name])  # SQLAlchemy has no public way  # noqa: SLF001
    return table


def _indexes(table: sa.Table) -> list[CreateIndex]:
    return [CreateIndex(index, if_not_exists=True) for index in sorted(table.indexes, key=lambda one: str(one.name))]


def _schedule(schema: str | None) -> None:
    op.create_table(
        "schedule",
        sa.Column("application", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("next_due", INSTANT),
        sa.Column("planned_until", INSTANT, nullable=False),
        sa.Column("anchor", INSTANT, nullable=False),
        sa.Column("stretch_reason", sa.Text),
        sa.Column("stretch_count", sa.BigInteger),
        sa.Column("stretch_from", INSTANT),
        sa.Column("paused_at", INSTANT),
        sa.Column("paused_by", sa.Text),
        sa.Column("retired_at", INSTANT),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("application", "name", name="schedule_pkey"),
        sa.CheckConstraint("retired_at IS NULL OR next_due IS NULL", name="schedule_retired_has_no_instants"),
        sa.CheckConstraint("(stretch_reason IS NULL) = (stretch_count IS NULL)", name="schedule_stretch"),
        schema=schema,
        postgresql_with={"fillfactor": "80"},
    )
    _index("schedule_due_idx", "schedule", ["application", "next_due"], schema, where="next_due IS NOT NULL")


def _run(schema: str | None) -> None:
    prefix = f"{schema}." if schema else ""
    op.create_table(
        "run",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("application", NAME, nullable=False),
        sa.Column("schedule", NAME, nullable=False),
        sa.Column("scheduled_for", INSTANT, nullable=False),
        sa.Column("last_scheduled_for", INSTANT),
        sa.Column("count", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("lease_name", sa.Text, nullable=False),
        sa.Column("available_at", INSTANT),
        sa.Column("start_by", INSTANT),
        sa.Column("token", sa.BigInteger),
        sa.Column("holder", sa.Text),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("abandoned", sa.Integer, nullable=False, server_default="0"),
        sa.Column("params", sa.Text, nullable=False, server_default="{}"),
        sa.Column("requested_by", sa.Text),
        sa.Column("requested_why", sa.Text),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.ForeignKeyConstraint(
            ["application", "schedule"],
            [f"{prefix}schedule.application", f"{prefix}schedule.name"],
            name="run_schedule_fkey",
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'running', 'succeeded', 'failed', 'cancelled', 'skipped')", name="run_state"
        ),
        sa.CheckConstraint("\"trigger\" IN ('schedule', 'manual')", name="run_trigger"),
        sa.CheckConstraint("count >= 1", name="run_count"),
        sa.CheckConstraint("(token IS NULL) = (holder IS NULL)", name="run_grant"),
        sa.CheckConstraint("state <> 'running' OR (token IS NOT NULL AND started_at IS NOT NULL)", name="run_running"),
        sa.CheckConstraint("(finished_at IS NULL) = (state IN ('pending', 'running'))", name="run_over"),
        sa.CheckConstraint("state NOT IN ('failed', 'cancelled', 'skipped') OR reason IS NOT NULL", name="run_reason"),
        schema=schema,
        postgresql_with={"fillfactor": "80"},
    )
    may_start = "state = 'pending' AND available_at IS NOT NULL"
    _index("run_claim_idx", "run", ["application", "available_at", "id"], schema, where=may_start)
    may_be_missed = "state = 'pending' AND start_by IS NOT NULL"
    _index("run_start_by_idx", "run", ["application", "start_by"], schema, where=may_be_missed)
    unfinished = ["application", "schedule", "scheduled_for", "id"]
    _index("run_unfinished_idx", "run", unfinished, schema, where="state IN ('pending', 'running')")
    _index("run_running_idx", "run", ["application"], schema, where="state = 'running'")
    instant = ["application", "schedule", "scheduled_for"]
    _index("run_instant_key", "run", instant, schema, where="\"trigger\" = 'schedule'", unique=True)
    _index("run_history_idx", "run", ["application", "schedule", "id"], schema)


def _job_run(schema: str | None) -> None:
    prefix = f"{schema}." if schema else ""
    op.create_table(
        "job_run",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("run_id", ID, sa.ForeignKey(f"{prefix}run.id", name="job_run_run_fkey"), nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.Column("error", sa.Text),
        sa.Column("log_tail", sa.Text),
        sa.Column("done", sa.Double),
        sa.Column("total", sa.Double),
        sa.Column("message", sa.Text),
        sa.Column("keeper_pid", sa.BigInteger),
        sa.Column("keeper_start", sa.BigInteger),
        sa.Column("exit_status", sa.BigInteger),
        sa.Column("exit_signal", sa.Integer),
        sa.UniqueConstraint("run_id", "job", "attempt", name="job_run_attempt_key"),
        sa.CheckConstraint(
            "state IN ('running', 'succeeded', 'failed', 'abandoned', 'stopped', 'not started')", name="job_run_state"
        ),
        sa.CheckConstraint("(finished_at IS NULL) = (state = 'running')", name="job_run_over"),
        sa.CheckConstraint("(keeper_pid IS NULL) = (keeper_start IS NULL)", name="job_run_keeper"),
        schema=schema,
        postgresql_with={"fillfactor": "70"},
    )


def _replica(schema: str | None) -> None:
    op.create_table(
        "replica",
        sa.Column("holder", sa.Text, primary_key=True),
        sa.Column("application", NAME, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("start_time", sa.BigInteger, nullable=False),
        sa.Column("boot_id", sa.Text),
        sa.Column("pid_namespace", sa.Text),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("stopped_at", INSTANT),
        sa.CheckConstraint("state IN ('running', 'draining', 'stopped', 'dead')", name="replica_state"),
        schema=schema,
        postgresql_with={"fillfactor": "70"},
    )


def _index(
    name: str, table: str, columns: list[str], schema: str | None, *, where: str | None = None, unique: bool = False
) -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        name, table, columns, schema=schema, unique=unique, postgresql_where=condition, sqlite_where=condition
    )
