"""The upgrade of the tables, on a database or as a script."""

import io
import logging
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import URL

from lease.database.address import parse_address
from lease.database.backend import backend_named, backend_of, schema_of
from lease.schema import create_schema, schema_creation

from .state import LOCK_TIMEOUT, REVISIONS, TablesInUse, check, opened_for_upgrade, refuse_newer, revision_of

FOLDER = Path(__file__).parent
_AGAIN_AFTER = 1.0
"""Seconds for those who waited behind us for a table."""


def prepare(url: str | URL) -> None:
    """Create or migrate the tables of an embedded database; check those of any other.

    Call it before anything is started.
    """
    if backend_of(parse_address(url)).is_embedded:
        upgrade(url)
    else:
        check(url)


def upgrade(url: str | URL) -> tuple[str, ...]:
    """Create the tables, or bring them up to date; return the revisions that were applied.

    It is all one transaction; of several processes at once, one applies the revisions and the
    others find them applied. It waits for a table that is in use for a moment only, and then tries
    again. Raise `SchemaTooNew`, `MayNotMigrate`, `TablesInUse` or `StoreUnavailable`.
    """
    until = monotonic() + LOCK_TIMEOUT
    while True:
        try:
            with opened_for_upgrade(url) as connection:
                before = revision_of(connection)
                refuse_newer(before, url)
                if before == REVISIONS[-1]:
                    return ()
                create_schema(connection, schema_of(connection))
                _run_alembic("head", connection=connection)
            return REVISIONS if before is None else REVISIONS[REVISIONS.index(before) + 1 :]
        except TablesInUse:
            if monotonic() > until:
                raise
        sleep(_AGAIN_AFTER)


def sql(dialect: str, since: str | None = None, schema: str | None = None) -> str:
    """Return a script for ``postgresql`` or ``sqlite`` that applies the revisions after ``since``,
    or all of them; on PostgreSQL to the tables in ``schema``.
    """
    script = io.StringIO()
    backend = backend_named(dialect)
    if schema not in (None, backend.schema) and not since:
        script.write(f"{schema_creation(schema)};\n\n")
    _run_alembic(f"{since}:head" if since else "head", script, backend=backend, schema=schema or backend.schema)
    return script.getvalue()


def _run_alembic(revision: str, script: io.StringIO | None = None, **attributes: Any) -> None:
    """Apply the migrations up to ``revision``, or write them to ``script``; alembic logs nothing of its parts and steps."""
    logger = logging.getLogger("alembic")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        # Slow to import, and not needed while the tables are up to date.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415

        config = Config() if script is None else Config(output_buffer=script)
        config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
        config.attributes.update(attributes)
        command.upgrade(config, revision, sql=script is not None)
    finally:
        logger.setLevel(level)
