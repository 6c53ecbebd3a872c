"""The definitions of a command before its own replicas start, or without any: what they would supersede, and their
bringing.
"""

from collections.abc import Iterable
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from lease.database.database import Unit

from ..definitions.application import Application
from ..errors import SchemaNotReady, WouldSupersede
from ..operations.foresee import Foreseen, foresee
from ..operations.requester import requester
from ..operations.trigger import trigger_now
from ..recovery import registry
from ..recovery.deaths import neighbours, proven_dead
from ..scheduling.deploys.bring import bring, take_on_top
from ..scheduling.deploys.sync import patience, plan_outgoing
from ..service.settings import Settings
from ..telemetry.logs import LOGGER
from .ask import ask_url
from .failures import NoDatabase

T = TypeVar("T")


def look_first(application: Application, settings: Settings, *, guarded: bool) -> None:
    """Raise `WouldSupersede` if ``guarded`` definitions would supersede what living replicas run; otherwise say so in the
    log. Raises `RevisionTaken`, too. The transaction that writes them looks once more.
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


def plan_all_outgoing(application: Application, url: str) -> None:
    """Plan what is due by the definitions that are to be replaced, a part in each transaction."""
    while _write(application, url, lambda connection: plan_outgoing(connection, application)):
        pass


def put_on_top(application: Application, url: str) -> str | None:
    """Make the definitions the newest, and let them rule (rule 21); return the warning about what they retired."""
    plan_all_outgoing(application, url)
    return _write(application, url, lambda connection: take_on_top(connection, application, by=requester())).warning


def bring_first(application: Application, url: str, now: Iterable[str] = (), *, guarded: bool = False) -> str | None:
    """Bring the definitions, as the first of the replicas that are about to start does, and request
    a run of each schedule in ``now``, in one transaction; return the warning about what they retired.
    If ``guarded``, raise `WouldSupersede` rather than supersede what living replicas run.
    """
    plan_all_outgoing(application, url)

    def transaction(connection: Connection) -> str | None:
        if guarded:
            registry.mark_proven_dead(connection)
        brought = bring(connection, application, by=requester(), holder="", guarded=guarded)
        trigger_now(connection, application.name, now)
        return brought.warning

    return _write(application, url, transaction)


def _write(application: Application, url: str, unit: Unit[T]) -> T:
    return ask_url(url, unit, write=True, patience=patience(application))
