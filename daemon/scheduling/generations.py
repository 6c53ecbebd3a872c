"""Generations: the definitions of an application in the order in which they first came, and which of
them rule. Pure decisions (rule 21).

The newest generation rules, whose definitions are those in the database. An older one stands in for
it when no replica of the newer ones has been ready for a while, so that nothing stays undone; that
changes no order, retires nothing, and ends when the newer one has been back for as long. Only a
generation that nobody has seen for a quarter of an hour is superseded for good.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lease.durations import format_duration

TAKEOVER_AFTER = 60.0
"""Seconds without a ready replica of a newer generation after which an older one stands in for it."""
FOR_GOOD_AFTER = 900.0
"""Seconds after which it is put on top."""
_LONGEST_STEP = 15.0
"""Seconds between two looks beyond which the time does not count: there was no contact."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One set of definitions of an application."""

    number: int
    digest: str
    is_staged: bool
    """It has not ruled yet: none of its replicas has been ready, and it was synced beside others."""
    rules: bool
    """Its definitions are those in the database."""


@dataclass(frozen=True, slots=True)
class Others:
    """The digests of the other living replicas: seen lately, and not draining."""

    living: frozenset[str]
    ready: Mapping[str, float]
    """Those that are ready, and for how many seconds the longest of each has been."""

    def had_time(self, seconds: float, besides: str) -> bool:
        """Return whether a replica, not of ``besides``, has been ready for so long: only it can have counted that."""
        return any(ready >= seconds for digest, ready in self.ready.items() if digest != besides)


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


@dataclass(frozen=True, slots=True)
class Add:
    """Record these definitions as the newest."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Make these definitions those in the database; ``in_lieu`` of a newer generation, retire nothing."""

    in_lieu: bool = False


@dataclass(frozen=True, slots=True)
class PutOnTop:
    """Make these definitions the newest for good."""


Move = Add | Rule | PutOnTop


@dataclass(frozen=True, slots=True)
class Order:
    """The generations of an application, the oldest first."""

    generations: Sequence[Generation]

    def latest(self, digest: str) -> Generation | None:
        """Return the generation of these definitions that counts, or None."""
        return max((one for one in self.generations if one.digest == digest), key=_number, default=None)

    @property
    def newest(self) -> Generation | None:
        """The newest that has had a ready replica, or was synced where none lived."""
        return max((one for one in self.generations if not one.is_staged), key=_number, default=None)

    @property
    def ruler(self) -> Generation | None:
        """The one whose definitions are in the database."""
        return next((one for one in self.generations if one.rules), None)

    def newer_than(self, generation: Generation) -> frozenset[str]:
        """Return the digests of those that supersede ``generation``."""
        newer = {one.digest for one in self.generations if one.number > generation.number}
        return frozenset(newer - {generation.digest})


def _number(generation: Generation) -> int:
    return generation.number


def next_move(
    order: Order, digest: str, others: Others, count: Count, *, starting: bool, takeover_after: float
) -> Move | None:
    """Return what a ready replica with the definitions ``digest`` does now, if anything."""
    own, newest = order.latest(digest), order.newest
    if own is None:
        return Add()
    if newest is None or own.number >= newest.number:
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


def is_newer_ready(order: Order, digest: str, others: Others) -> bool:
    """Return what a replica with the definitions ``digest`` counts: whether a replica of the newest
    generation is ready, or of one that supersedes its own.
    """
    own, newest = order.latest(digest), order.newest
    if own is None or newest is None or own.number >= newest.number:
        return True
    return bool(order.newer_than(own) & others.ready.keys())


def describe(order: Order, digest: str, takeover_after: float, for_good_after: float) -> str:
    """Return how the definitions ``digest`` stand, and what comes next and when."""
    own, newest, ruler = order.latest(digest), order.newest, order.ruler
    if own is None or newest is None or ruler is None:
        return "these definitions have no generation yet"
    me = f"generation {own.number}"
    if own.rules:
        if own.number >= newest.number:
            return f"{me} is current: its definitions are in the database"
        return (
            f"{me} stands in for generation {newest.number}, of which no replica is ready; it retires nothing, and is "
            f"put on top for good when that has been so for {format_duration(for_good_after)}"
        )
    if own.is_staged:
        return f"{me} is staged: it is current from its first ready replica on"
    if own.number >= newest.number:
        return (
            f"{me} is next: generation {ruler.number} stands in for it until a replica of it has been ready for "
            f"{format_duration(takeover_after)}"
        )
    return (
        f"{me} is superseded by generation {newest.number}: this replica changes no definition; if no replica of a "
        f"newer one is ready for {format_duration(takeover_after)}, this one stands in for it. To make its definitions "
        "current now, start it with --take-over"
    )
