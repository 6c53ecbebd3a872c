"""The bringing of definitions by a command, before the replicas of its own start, or without any."""

from collections.abc import Iterable
from typing import TypeVar

from sqlalchemy import Connection

from lease.database.database import Unit

from ..definitions.application import Application
from ..operations.requester import requester
from ..operations.trigger import trigger_now
from ..recovery import registry
from ..scheduling.deploys.bring import bring, take_on_top
from ..scheduling.deploys.sync import patience, plan_outgoing
from .ask import ask_url

T = TypeVar("T")


def plan_all_outgoing(application: Application, url: str) -> None:
    """Plan what is due by the definitions that are to be replaced, a part in each transaction."""
    while _write(application, url, lambda connection: plan_outgoing(connection, application)):
        pass


def put_on_top(application: Application, url: str) -> str | None:
    """Make the definitions the newest, and let them rule (rule 21); return the warning about what they retired."""
    plan_all_outgoing(application, url)
    return _write(application, url, lambda connection: take_on_top(connection, application, by=requester())).warning


def bring_guarded(application: Application, url: str) -> str | None:
    """Bring the definitions, as the first of the replicas that are about to start does; return the warning about what
    they retired. Raises `WouldSupersede` if living replicas run what these would supersede.
    """
    plan_all_outgoing(application, url)

    def transaction(connection: Connection) -> str | None:
        registry.mark_proven_dead(connection)
        return bring(connection, application, by=requester(), holder="", guarded=True).warning

    return _write(application, url, transaction)


def trigger_all(application: Application, url: str, names: Iterable[str]) -> str | None:
    """Bring the definitions, as the first of the replicas that are about to start does, and request
    a run of each schedule in ``names``, in one transaction; return the warning about what they retired.
    """
    plan_all_outgoing(application, url)

    def transaction(connection: Connection) -> str | None:
        brought = bring(connection, application, by=requester(), holder="")
        trigger_now(connection, application.name, names)
        return brought.warning

    return _write(application, url, transaction)


def _write(application: Application, url: str, unit: Unit[T]) -> T:
    return ask_url(url, unit, write=True, patience=patience(application))
