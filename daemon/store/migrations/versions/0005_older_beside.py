"""What a replica of an older version may not do beside this one: claim runs, and sync its definitions.

It compares no digests, so it would run its own jobs for a run of other definitions (rule 22), and it
knows no generations, so it would write and retire schedules for those of a newer one (rule 21). A
version that knows both writes a second column with the first, which an older one leaves behind; then
the trigger refuses. All else that an older version does is right, and goes on: its runs at work end
as they began; and what it plans, or is asked for, it makes by the definitions in the database, whose
digest a trigger adds.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from daemon.store.migrations.state import schema_name
from lease.database.backend import quoted

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT: sa.types.TypeEngine[Any] = sa.Double().with_variant(TIMESTAMP(timezone=True), "postgresql")

REMEDY = "this replica is of an older version of leased than the tables of the database, so it {}; restart it with the newer version"
CLAIM = REMEDY.format("starts no more runs (those at work go on and end as they began)")
SYNC = REMEDY.format("may not change the definitions there")

OLDER_CLAIM = "NEW.state = 'running' AND OLD.state = 'pending' AND NEW.claimed_attempt IS {} NEW.attempt"
OLDER_SYNC = "NEW.synced_at IS {} NEW.changed_at"

TRIGGERS = (
    ("run_refuses_older_claim", "UPDATE OF state", "run", OLDER_CLAIM, CLAIM),
    ("schedule_refuses_older_sync", "UPDATE OF changed_at", "schedule", OLDER_SYNC, SYNC),
    ("schedule_refuses_older_addition", "INSERT", "schedule", OLDER_SYNC, SYNC),
)


DIGEST = "SELECT run_digest FROM {}schedule WHERE application = NEW.application AND name = NEW.schedule"


def upgrade() -> None:
    """Add the columns and the triggers, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    op.add_column("run", sa.Column("claimed_attempt", sa.Integer), schema=schema)
    op.add_column("schedule", sa.Column("synced_at", INSTANT), schema=schema)
    if schema is None:
        _on_sqlite()
    else:
        _on_postgresql(quoted(schema))


def _on_postgresql(prefix: str) -> None:
    # An error of this class older versions take for the database's, say it, and try again; one of any
    # other would end them, and their runs at work.
    op.execute(
        f"CREATE FUNCTION {prefix}leased_refuse() RETURNS trigger LANGUAGE plpgsql AS $function$\n"
        "BEGIN\n"
        "    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'object_not_in_prerequisite_state';\n"
        "END\n"
        "$function$"
    )
    op.execute(
        f"CREATE FUNCTION {prefix}leased_digest() RETURNS trigger LANGUAGE plpgsql AS $function$\n"
        "BEGIN\n"
        f"    NEW.digest = ({DIGEST.format(prefix)});\n"
        "    RETURN NEW;\n"
        "END\n"
        "$function$"
    )
    op.execute(
        f"CREATE TRIGGER run_of_older_takes_digest BEFORE INSERT ON {prefix}run FOR EACH ROW "
        f"WHEN (NEW.digest IS NULL) EXECUTE FUNCTION {prefix}leased_digest()"
    )
    for name, moment, table, older, sentence in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {moment} ON {prefix}{table} FOR EACH ROW "
            f"WHEN ({older.format('DISTINCT FROM')}) EXECUTE FUNCTION {prefix}leased_refuse('{sentence}')"
        )


def _on_sqlite() -> None:
    # Not RAISE: older versions would take that for a broken constraint, which ends them and their runs
    # at work. This fails as the database would, and the sentence is in its message.
    op.execute(
        "CREATE TRIGGER run_of_older_takes_digest AFTER INSERT ON run WHEN NEW.digest IS NULL "
        f"BEGIN UPDATE run SET digest = ({DIGEST.format('')}) WHERE id = NEW.id; END"
    )
    for name, moment, table, older, sentence in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {moment} ON {table} WHEN {older.format('NOT')} "
            f"BEGIN SELECT json_extract('{{}}', '{sentence}'); END"
        )


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
