"""The bringing of definitions by a command, before the replicas of its own start, or without any."""

from collections.abc import Iterable

from sqlalchemy import Connection

from ..definitions.application import Application
from ..operations.requester import requester
from ..operations.trigger import trigger_now
from ..scheduling.bring import bring, take_on_top
from ..scheduling.sync import plan_outgoing
from .ask import ask_url


def plan_all_outgoing(application: Application, url: str) -> None:
    """Plan what is due by the definitions that are to be replaced, a part in each transaction."""
    while ask_url(url, lambda connection: plan_outgoing(connection, application), write=True):
        pass


def put_on_top(application: Application, url: str) -> None:
    """Make the definitions the newest, and let them rule (rule 21)."""
    plan_all_outgoing(application, url)
    ask_url(url, lambda connection: take_on_top(connection, application, by=requester()), write=True)


def trigger_all(application: Application, url: str, names: Iterable[str]) -> None:
    """Bring the definitions, as the first of the replicas that are about to start does, and request a run
    of each schedule in ``names``, in one transaction.
    """
    plan_all_outgoing(application, url)

    def transaction(connection: Connection) -> None:
        bring(connection, application, by=requester(), holder="")
        trigger_now(connection, application.name, names)

    ask_url(url, transaction, write=True)
