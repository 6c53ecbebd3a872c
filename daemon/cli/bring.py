"""The bringing of definitions by a command, before the replicas of its own start, or without any."""

from collections.abc import Iterable
from functools import partial

from sqlalchemy import Connection

from ..definitions.application import Application
from ..operations.requester import requester
from ..operations.trigger import trigger_now
from ..recovery import registry
from ..scheduling.deploys.bring import bring, take_on_top
from ..scheduling.deploys.sync import patience, plan_outgoing
from .ask import ask_url


def plan_all_outgoing(application: Application, url: str) -> None:
    """Plan what is due by the definitions that are to be replaced, a part in each transaction."""
    limit = patience(application)
    while ask_url(url, lambda connection: plan_outgoing(connection, application), write=True, patience=limit):
        pass


def put_on_top(application: Application, url: str) -> str | None:
    """Make the definitions the newest, and let them rule (rule 21); return the warning about what they retired."""
    plan_all_outgoing(application, url)
    unit = partial(take_on_top, application=application, by=requester())
    return ask_url(url, unit, write=True, patience=patience(application)).warning


def bring_first(application: Application, url: str, now: Iterable[str] = (), *, guarded: bool = False) -> str | None:
    """Bring the definitions, as the first of the replicas that are about to start does, and request a run of each
    schedule in ``now``, in one transaction; return the warning about what they retired. If ``guarded``, raise
    `WouldSupersede` rather than supersede what living replicas run.
    """
    plan_all_outgoing(application, url)

    def transaction(connection: Connection) -> str | None:
        if guarded:
            registry.mark_proven_dead(connection)
        brought = bring(connection, application, by=requester(), holder="", guarded=guarded)
        trigger_now(connection, application.name, now)
        return brought.warning

    return ask_url(url, transaction, write=True, patience=patience(application))
