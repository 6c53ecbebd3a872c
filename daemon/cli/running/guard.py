"""The look of `leased run` at what it would supersede, before it starts or writes anything."""

import structlog
from sqlalchemy import Connection

from ...definitions.application import Application
from ...errors import SchemaNotReady, WouldSupersede
from ...operations.foresee import Foreseen, foresee
from ...recovery.deaths import neighbours, proven_dead
from ...service.settings import Settings
from ...telemetry.logs import LOGGER
from ..ask import ask_url
from ..failures import NoDatabase


def look_first(application: Application, settings: Settings, *, guarded: bool) -> None:
    """Raise `WouldSupersede` if ``guarded`` definitions would supersede what living replicas run; otherwise say so in the
    log. Raises `RevisionTaken`, too. The transaction that writes them checks again.
    """
    found = _foreseen(application, settings)
    if found is None or found.superseding is None or found.refusal is not None:  # it is refused with its own sentence
        return
    if guarded:
        raise WouldSupersede(found.superseding.refusal())
    said = f'application "{application.name}": {found.superseding.others}; these definitions supersede theirs'
    structlog.stdlib.get_logger(LOGGER).info(said)


def _foreseen(application: Application, settings: Settings) -> Foreseen | None:
    """Return what would become of the definitions; None if there are no tables yet."""

    def look(connection: Connection) -> Foreseen:
        dead = proven_dead(neighbours(connection))
        return foresee(connection, application, by="replica", takeover_after=settings.takeover_after, dead=dead)

    try:
        return ask_url(settings.database, look)
    except (NoDatabase, SchemaNotReady):
        return None
