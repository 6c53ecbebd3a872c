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


def bring_first(
    application: Application, url: str, now: Iterable[str] = (), *, take_over: bool = False, guarded: bool = False
) -> list[str]:
    """Do once what the replicas that are about to start would each do: if ``take_over``, let the definitions rule
    (rule 21); if ``guarded``, raise `WouldSupersede` rather than supersede what living replicas run. Request a run of
    each schedule in ``now``. Return the warnings about what was retired.
    """
    warnings: list[str | None] = []

    def transaction(connection: Connection) -> str | None:
        if guarded:
            registry.mark_proven_dead(connection)
        brought = bring(connection, application, by=requester(), holder="", guarded=guarded)
        trigger_now(connection, application.name, now)
        return brought.warning

    if take_over:
        plan_all_outgoing(application, url)
        unit = partial(take_on_top, application=application, by=requester())
        warnings.append(ask_url(url, unit, write=True, patience=patience(application)).warning)
    if guarded or now:
        plan_all_outgoing(application, url)
        warnings.append(ask_url(url, transaction, write=True, patience=patience(application)))
    return [f'application "{application.name}": {warning}' for warning in warnings if warning is not None]
