"""The notices by which the replicas of one application wake each other on PostgreSQL (rule 24).

A notice only shortens a wait: nothing depends on it, and whoever may connect can send one. Each
application has a channel of its own, so that others do not wake. Rare acts of people (a trigger, a
cancel, definitions) send theirs in their transaction, which may be a caller's own, after which
nothing can follow: PostgreSQL delivers it at the commit. What replicas send all the time goes after
the commit, by itself (`daemon.execution.context`), as commits with a notice wait for each other.

SQLite has no notices: there a replica hears that the file has changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2s
from typing import Literal, get_args

from sqlalchemy import ARRAY, Connection, Text, bindparam, func, select

from lease.database.backend import backend_of

Subject = Literal["work", "definitions", "cancel", "alive"]
"""What a notice is about. work: a run may start, or will sooner than was known; definitions: others
may rule, or a replica has joined; cancel: a run at work was marked; alive: nothing, it is the
sender's proof that it hears."""


_MOST_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice."""

    about: Subject
    run_id: int | None = None
    """The run that was marked."""

    def __str__(self) -> str:
        """Return it as it is sent."""
        return self.about if self.run_id is None else f"{self.about} {self.run_id}"


WORK = Notice("work")
DEFINITIONS = Notice("definitions")
ALIVE = Notice("alive")


def channel_of(application: str) -> str:
    """Return the channel of an application; its name may be longer than that of a channel."""
    return f"leased_{blake2s(application.encode(), digest_size=16).hexdigest()}"


def parse_notice(payload: str) -> Notice | None:
    """Return the notice of a payload; None where it is none that this version knows."""
    about, _, run_id = payload.partition(" ")
    for known in get_args(Subject):
        if about == known:
            return Notice(known, int(run_id) if run_id.isdecimal() and len(run_id) <= _MOST_DIGITS else None)
    return None


def notify(connection: Connection, application: str, notice: Notice) -> None:
    """Send a notice to the replicas of an application, with the commit of this transaction if there is one."""
    if backend_of(connection).listens:
        connection.execute(select(func.pg_notify(channel_of(application), str(notice))))


def notify_each(connection: Connection, application: str, notices: Sequence[Notice]) -> None:
    """Send several notices as `notify` sends one, in one statement."""
    if notices and backend_of(connection).listens:
        payloads = bindparam(None, [str(one) for one in notices], type_=ARRAY(Text), unique=True)
        connection.execute(select(func.pg_notify(channel_of(application), func.unnest(payloads))))
