"""The remarks of `leased check` that compare FILE with the database; the database layer is loaded only for them."""

from collections.abc import Iterator

from lease.errors import StoreUnavailable

from ....definitions.application import Application
from ....errors import SchemaNotReady
from ...failures import NoDatabase
from .remarks import APART, Remark

_PATIENCE = 3.0
"""Seconds: definitions can be checked where the database cannot be reached, too."""


def against_database(application: Application, url: str) -> Iterator[Remark]:
    """Yield what would stay behind if these definitions were deployed, and what they take over. Yield nothing if there
    is no database, or if it has no tables of this version.
    """
    from ....scheduling.deploys.sync import sync  # noqa: PLC0415 - loads the database layer
    from ...ask import ask_url  # noqa: PLC0415 - loads it too

    try:
        report = ask_url(url, lambda connection: sync(connection, application, dry_run=True), patience=_PATIENCE)
    except (NoDatabase, SchemaNotReady):
        return
    except StoreUnavailable as error:
        yield Remark("not-checked", f"the database was not checked: {error}")
        return
    for name in report.renamed:
        yield Remark("was", f"{name}: takes over the history, pause, lock and idempotency keys")
    for name in report.apart:
        yield Remark("was-apart", f"{name}: {APART}")
    yield from (Remark("left-behind", text) for text in report.losses)
