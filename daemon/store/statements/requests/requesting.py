"""The statements of a trigger, to be sent over whatever connection the caller's transaction has.

So they are not executed here: their parameters are only text, whole numbers and moments, and their
answers only text and numbers, which all drivers send and read alike.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Integer, Text, case, func, insert, literal_column, select, update

from lease.database.dialects import insert_missing, now, seconds_of

from ...called import key_of, present_name
from ...notices import WORK, channel_of
from ...tables import run, schedule, trigger_key

_NO, _YES = literal_column("0", Integer), literal_column("1", Integer)


def begin_to_write(application: str, name: str) -> Executable:
    """Change nothing, and so take SQLite's write lock before anything is read: what was read before
    could have changed by the time of the first write.
    """
    return update(schedule).where(*_of(application, name)).values(name=schedule.c.name)


def begin_to_read() -> Executable:
    """Ask for nothing: a driver that begins transactions by itself has one open afterwards."""
    return select(_YES)


def read(application: str, name: str) -> Executable:
    """Return (definition, run digest, by what it was retired, the database's time in seconds, key) of a
    schedule, without a lock; it is retired by nothing, "", if it is not.
    """
    by_a_deploy = literal_column("'a deploy'", Text)
    retired_by = case(
        (schedule.c.retired_at.is_(None), literal_column("''", Text)),
        else_=func.coalesce(schedule.c.retired_by, by_a_deploy),
    )
    columns = (schedule.c.definition, schedule.c.run_digest, retired_by, seconds_of(now()), schedule.c.name)
    return select(*columns).where(*_of(application, name))


def renamed(application: str) -> Executable:
    """Return (what it is called, JSON of what it was called) of each schedule that was renamed."""
    renamed_ones = (schedule.c.application == application, schedule.c.called.is_not(None))
    return select(schedule.c.called, schedule.c.former).where(*renamed_ones)


def names(application: str) -> Executable:
    """Return the names of the schedules of an application that are not retired."""
    return select(present_name(schedule)).where(schedule.c.application == application, schedule.c.retired_at.is_(None))


def add(values: Mapping[str, Any]) -> Executable:
    """Insert a run, and return its id."""
    return insert(run).values(**values).returning(run.c.id)


def name_lease(run_id: int, name: str) -> Executable:
    """Name the lease of a run that has one of its own."""
    return update(run).where(run.c.id == run_id).values(lease_name=name)


def keyed(application: str, name: str, key: str) -> Executable:
    """Return the id of the run that was requested under a key, by what the schedule is called or by its key."""
    return select(trigger_key.c.run_id).where(*_of_key(application, name, key))


def take_key(application: str, name: str, key: str, at: datetime) -> Executable:
    """Insert a key, and return a row if it was free. While another transaction is about to take it,
    this waits for the end of that one.
    """
    values = {"application": application, "schedule": name, "key": key, "run_id": 0, "created_at": at}
    return insert_missing(trigger_key).values(**values).returning(trigger_key.c.run_id)


def give_key(application: str, name: str, key: str, run_id: int) -> Executable:
    """Record the run of a key that was taken."""
    return update(trigger_key).where(*_of_key(application, name, key)).values(run_id=run_id)


def tell(application: str) -> Executable:
    """Notify replicas with the commit; only for a database that notifies."""
    return select(func.pg_notify(channel_of(application), str(WORK)))


def _of(application: str, name: str) -> tuple[Any, Any]:
    return schedule.c.application == application, schedule.c.name == key_of(application, name)


def _of_key(application: str, name: str, key: str) -> tuple[Any, Any, Any]:
    of = trigger_key.c
    return of.application == application, of.schedule == key_of(application, name), of.key == key
