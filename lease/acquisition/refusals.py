"""The sentences and the facts of a refused acquisition."""

from ..durations import format_duration
from ..errors import LeaseNotAcquired
from ..model import Grant, LeaseRecord, is_mark
from ..waiters import ahead_of


def refusal(name: str, record: LeaseRecord | None, holder: str, *, waited: float) -> LeaseNotAcquired:
    """Return the error for ``holder``, which was refused ``name`` because of what the database has
    (None: not known) after it had waited so many seconds.
    """
    after = _after(waited)
    if record is not None and record.holder is not None:
        held = "" if record.held_for is None else f" for {format_duration(record.held_for)}"
        broken = record.broken if is_mark(record.holder) else None
        holder_now = record.holder if broken is None else broken.holder
        who = f"{record.label or holder_now} (holder {holder_now}, token {record.token})"
        sentence = f"lease {name!r} is held by {who}{held}{after}"
        if broken is not None:
            sentence = (
                f"lease {name!r} was broken by {broken.by} because {broken.reason}; "
                f"the work of {who} may continue until it is notified or its ttl ends{after}"
            )
        return LeaseNotAcquired(
            sentence,
            name=name,
            holder=holder_now,
            label=record.label,
            token=record.token,
            held_for=record.held_for,
            waited=waited,
        )
    before = () if record is None else record.waiting[: ahead_of(holder, record.waiting)]
    if before:
        first = before[0]
        return LeaseNotAcquired(
            f"lease {name!r} is free, but {first.label or first.holder} is ahead in the queue{after}",
            name=name,
            holder=first.holder,
            label=first.label,
            waited=waited,
        )
    message = f"lease {name!r} could not be acquired{after}: it was busy every time"
    return LeaseNotAcquired(message, name=name, waited=waited)


def refusal_within(
    name: str, why: str, holder: str, label: str, held: Grant | None, *, waited: float
) -> LeaseNotAcquired:
    """Return the error for a task or thread that was refused ``name`` within its own client."""
    return LeaseNotAcquired(
        f"lease {name!r} could not be acquired{_after(waited)}: {why}",
        name=name,
        holder=holder,
        label=label,
        token=None if held is None else held.token,
        waited=waited,
    )


def _after(waited: float) -> str:
    return f" (waited {format_duration(waited)})" if waited else ""
