"""The moves of a replica and of a sync about which definitions rule; pure decisions (rule 21).

The newest generation rules, whose definitions are those in the database. An older one stands in for
it when no replica of the newer ones has been ready for a while, so that nothing stays undone; that
changes no order, retires nothing, and ends when the newer one has been back for as long. Only a
generation that nobody has seen for a quarter of an hour is superseded for good.
"""

from dataclasses import dataclass

from .order import Add, Generation, Move, Order, Others, PutOnTop, Raise, Rule, rank_of

TAKEOVER_AFTER = 60.0
"""Seconds without a ready replica of a newer generation after which an older one stands in for it."""
FOR_GOOD_AFTER = 900.0
"""Seconds after which it is put on top."""
_LONGEST_STEP = 20.0
"""Seconds between two looks beyond which the time does not count: there was no contact."""


@dataclass(frozen=True, slots=True)
class Count:
    """For how many seconds the newer generations have been away, counted while in contact."""

    absent: float = 0.0
    ready: float = 0.0
    """For how long one has been ready without a break; this replica itself, if it is of the newest."""
    at: float | None = None
    """The monotonic time of the last look."""

    def after(self, now: float, *, is_ready: bool, long_enough: float) -> "Count":
        """Return the count after a look at ``now``. A life shorter than ``long_enough`` resets nothing."""
        if self.at is None or now - self.at > _LONGEST_STEP:
            return Count(self.absent, 0.0, now)
        passed = now - self.at
        if not is_ready:
            return Count(self.absent + passed, 0.0, now)
        ready = self.ready + passed
        return Count(0.0 if ready >= long_enough else self.absent, ready, now)

    def out_of_contact(self) -> "Count":
        """Return the count now that a look has failed: until the next one, no time counts."""
        return Count(self.absent)


def next_move(
    order: Order,
    digest: str,
    others: Others,
    count: Count,
    *,
    starting: bool,
    takeover_after: float,
    revision: int | None = None,
) -> Move | None:
    """Return what a ready replica with the definitions ``digest`` does now, if anything."""
    if (recorded := _to_record(order, digest, revision)) is not None:
        return recorded
    own = _own(order, digest)
    if order.is_newest(own):
        # Where all have just restarted, an older one that was the first has found no newer one away for long.
        at_once = starting and not others.had_time(takeover_after, besides=digest)
        may_rule = own.is_staged or at_once or count.ready >= takeover_after
        return Rule() if may_rule and not own.rules else None
    if order.newer_than(own) & others.ready.keys():
        return None
    if own.rules:
        return PutOnTop() if count.absent >= FOR_GOOD_AFTER else None
    is_alone = starting and not others.living
    return Rule(in_lieu=True) if is_alone or count.absent >= takeover_after else None


def sync_move(order: Order, digest: str, others: Others, *, revision: int | None = None) -> Move | None:
    """Return what a sync of the definitions ``digest`` does, if anything.

    Beside living replicas of others it only records them: they are staged. Where none lives, they are
    put on top, unless they have a lower revision, or none: then they stand in.
    """
    if (recorded := _to_record(order, digest, revision)) is not None:
        return recorded
    own = _own(order, digest)
    if others.living - {digest}:
        return None
    if order.newest is not None and rank_of(own.counted) < rank_of(order.newest.counted):
        return None if own.rules else Rule(in_lieu=True)
    return None if own.rules and order.is_newest(own) else PutOnTop()


def recorded(order: Order, digest: str, revision: int | None) -> Order:
    """Return the order in which the definitions ``digest`` are recorded, as they come with this revision."""
    move = _to_record(order, digest, revision)
    return order if move is None else order.after(move, digest, revision)


def _to_record(order: Order, digest: str, revision: int | None) -> Add | Raise | None:
    """Return what must be recorded first: definitions that are unknown, or a higher revision.

    A revision that only says more of those that rule, or wait for their first replica, is raised
    where it stands. Others come anew with it, and so rule at once if they are the newest now.
    """
    own = order.latest(digest)
    if own is None:
        return Add()
    if rank_of(revision) <= rank_of(own.revision) or order.has_come(digest, revision):
        return None
    return Raise() if own.is_staged or (own.rules and order.is_newest(own)) else Add()


def _own(order: Order, digest: str) -> Generation:
    own = order.latest(digest)
    assert own is not None  # noqa: S101 - it is recorded first
    return own


def is_newer_ready(order: Order, digest: str, others: Others) -> bool:
    """Return what a replica with the definitions ``digest`` counts: whether a replica of the newest
    generation is ready, or of one that supersedes its own.
    """
    own = order.latest(digest)
    if own is None or order.is_newest(own):
        return True
    return bool(order.newer_than(own) & others.ready.keys())
