"""What `leased check` says of FILE compared with what is in the database, and only then loads the database layer."""

from collections.abc import Iterator

from lease.errors import StoreUnavailable

from ....definitions.application import Application
from ....errors import SchemaNotReady
from ...failures import NoDatabase
from .remarks import APART

_PATIENCE = 3.0
"""Seconds: definitions can be checked where the database cannot be reached, too."""


def against_database(application: Application, url: str) -> Iterator[str]:
    """Yield what would stay behind if these definitions were brought, and what they take over. Nothing where there is
    no database, or where it has no tables of this version.
    """
    from ....scheduling.deploys.sync import sync  # noqa: PLC0415 - loads the database layer
    from ...ask import ask_url  # noqa: PLC0415 - loads it too

    try:
        report = ask_url(url, lambda connection: sync(connection, application, dry_run=True), patience=_PATIENCE)
    except (NoDatabase, SchemaNotReady):
        return
    except StoreUnavailable as error:
        yield f"the database was not checked: {error}"
        return
    for name in report.renamed:
        yield f"{name}: takes over the history, pause, lock and idempotency keys"
    for name in report.apart:
        yield f"{name}: {APART}"
    yield from report.losses
