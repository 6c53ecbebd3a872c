"""The queues in which runs wait to be claimed: of shared locks with several slots, and by priority (rule 14)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, get_args

from pydantic import Field, PlainSerializer, WithJsonSchema

from ...states import LEADS, Priority, SharedLock
from ...text import suggestion
from .refusal import Refusal, read_by, shown
from .strings import LONGEST, check_name

MOST_SLOTS = 1_000
_WRITTEN = 'write it like "api", or { name = "api", slots = 3 }'


@dataclass(frozen=True, slots=True)
class RunQueue:
    """The runs that wait for the slots of one lock, or for leases of their own, with one priority."""

    name: str
    """As it is in the rows of its runs. That of all others, which wait for a lease of their own or a lock
    with one slot, with normal priority, has none."""
    lock: SharedLock | None
    """The lock that its runs share, if that has several slots."""
    lead: timedelta
    """By how much longer its runs count as waiting."""

    @property
    def leases(self) -> tuple[str, ...]:
        """The leases of its slots; none: its runs have leases of their own."""
        return () if self.lock is None else self.lock.leases


def queue_of(lock: SharedLock | None, priority: Priority) -> RunQueue | None:
    """Return the queue of runs with this lock and priority; None: that of all others."""
    shared = lock if lock is not None and lock.slots > 1 else None
    if shared is None and priority == "normal":
        return None
    return RunQueue(f"{priority} {shared.name}" if shared else priority, shared, LEADS[priority])


def queues_that_take(lease: str) -> list[str]:
    """Return the names of the queues in which runs may wait for this lease as a slot. It is the first one of the lock of
    its name, or a further one of a lock: others may say that it has more slots than one's own definition does.
    """
    name, _, slot = lease.rpartition("/")
    locks = [lease, *([name] if name and slot.isdecimal() else [])]
    queues = [queue_of(SharedLock(lock, MOST_SLOTS), priority) for lock in locks for priority in get_args(Priority)]
    return [queue.name for queue in queues if queue is not None]


def read_lock(value: object) -> SharedLock:
    """Return a lock, given as its name or as a table; raises `Refusal`."""
    if isinstance(value, SharedLock):
        return value
    if not isinstance(value, Mapping):
        return SharedLock(check_name("lock", value))
    for key in value:
        if key not in SharedLock._fields:
            raise Refusal(f"a lock has no {shown(key)}", suggestion(str(key), SharedLock._fields))
    if "name" not in value:
        raise Refusal(f"{shown(dict(value))} does not name a lock", _WRITTEN)
    name, slots = check_name("lock", value["name"]), value.get("slots", 1)
    if not isinstance(slots, int) or isinstance(slots, bool):
        raise Refusal(f"slots = {shown(slots)} is not a whole number", "write digits only, without quotes")
    if not 1 <= slots <= MOST_SLOTS:
        raise Refusal(f"a lock cannot have {slots:,} slots", f"write a number from 1 to {MOST_SLOTS:,}")
    if slots > 1 and len(longest := SharedLock(name, slots).leases[-1]) > LONGEST["lock"]:
        problem = f'the lock "{name[:20]}…" names leases of {len(longest)} characters'
        raise Refusal(problem, f"at most {LONGEST['lock']} are allowed")
    return SharedLock(name, slots)


def write_lock(lock: SharedLock) -> str | dict[str, Any]:
    """Return it as it is stored: one with one slot as its name, as the first release did."""
    return lock.name if lock.slots == 1 else {"name": lock.name, "slots": lock.slots}


_TABLE: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": LONGEST["lock"]},
        "slots": {"type": "integer", "minimum": 1, "maximum": MOST_SLOTS},
    },
}
_Name = Annotated[str, Field(title="a name", min_length=1, max_length=LONGEST["lock"])]
_NameOrTable = _Name | Annotated[Any, WithJsonSchema(_TABLE)]
Lock = Annotated[
    SharedLock,
    read_by(read_lock, _NameOrTable, "a name, or a table with `name` and `slots`"),
    PlainSerializer(write_lock),
]
