"""The order of the generations of an application, the moves of a replica and of a sync, and what a move makes of
it. Pure (rule 21).

It is the order in which their definitions first came. Where definitions carry a revision, that comes
first: one without a revision never supersedes one with. A take-over that somebody asks for puts
definitions on top under their own revision, and higher ones don't count from then on. A rollback that
is for good counts as the revision of the one that it takes over from.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Literal, assert_never

from ...errors import RevisionTaken
from ...text import listed


@dataclass(frozen=True, slots=True)
class Generation:
    """One set of definitions of an application."""

    number: int
    digest: str
    is_staged: bool
    """It has not ruled yet: none of its replicas has been ready, and it was synced beside others."""
    rules: bool
    """Its definitions are those in the database."""
    revision: int | None = None
    counts: bool = True
    """Its revision does: no take-over under a lower one has come since."""

    @property
    def counted(self) -> int | None:
        """The revision that it counts as; None: as one without."""
        return self.revision if self.counts else None

    @property
    def rank(self) -> tuple[int, int]:
        """Its place: a greater one supersedes it."""
        return (rank_of(self.counted), self.number)


@dataclass(frozen=True, slots=True)
class Others:
    """The digests of the other living replicas: seen lately, and not draining."""

    living: frozenset[str]
    ready: Mapping[str, float]
    """Those that are ready, and for how many seconds the longest of each has been."""


Move = Literal["add", "raise", "rule", "stand in", "put on top"]
"""What is done with definitions.

    add         record them as a generation
    raise       record the higher revision that they now carry
    rule        make them those in the database
    stand in    the same in lieu of a newer generation: retire nothing
    put on top  make them the newest for good
"""


@dataclass(frozen=True, slots=True)
class Order:
    """The generations of an application, in any sequence."""

    generations: Sequence[Generation]

    def latest(self, digest: str) -> Generation | None:
        """Return the generation of these definitions that counts, or None."""
        return max((one for one in self.generations if one.digest == digest), key=attrgetter("rank"), default=None)

    @property
    def newest(self) -> Generation | None:
        """The newest that has had a ready replica, or was synced where none lived."""
        return max((one for one in self.generations if not one.is_staged), key=attrgetter("rank"), default=None)

    @property
    def ruler(self) -> Generation | None:
        """The one whose definitions are in the database."""
        return next((one for one in self.generations if one.rules), None)

    def newer_than(self, generation: Generation) -> frozenset[str]:
        """Return the digests of those that supersede ``generation``."""
        newer = {one.digest for one in self.generations if one.rank > generation.rank}
        return frozenset(newer - {generation.digest})

    def is_newest(self, generation: Generation) -> bool:
        """Return whether it supersedes the newest, or is that."""
        return self.newest is None or generation.rank >= self.newest.rank

    def revision_on_top(self, digest: str, revision: int | None) -> int | None:
        """Return what these definitions count as when they are put on top."""
        own = self.latest(digest)
        known = [revision, *(one.counted for one in (own, self.newest) if one is not None)]
        return max(known, key=rank_of)

    def outranked(self, revision: int | None, living: Collection[str]) -> list[Generation]:
        """Return those whose revision no longer counts when somebody puts definitions with ``revision`` on top.

        Those are all that have ruled and have a higher one; if these have none, only those that no replica
        runs. One that is staged is the next all the same.
        """
        return [
            one
            for one in self.generations
            if rank_of(one.counted) > rank_of(revision)
            and not one.is_staged
            and (revision is not None or one.digest not in living)
        ]

    def without(self, revisions: Collection[Generation]) -> "Order":
        """Return the order in which the revisions of these generations don't count."""
        return Order([replace(one, counts=one.counts and one not in revisions) for one in self.generations])

    def is_on_top(self, digest: str, revision: int | None) -> bool:
        """Return whether no other is newer, besides those with a higher revision that never ruled."""
        own, most = self.latest(digest), rank_of(self.revision_on_top(digest, revision))
        if own is None or not own.counts:
            return False
        return all(one.rank <= own.rank or rank_of(one.counted) > most for one in self.generations)

    def refuse_taken(self, application: str, digest: str, revision: int | None) -> None:
        """Raise `RevisionTaken` if these definitions come with a revision that others already have."""
        own = self.latest(digest)
        if revision is None or (own is not None and rank_of(own.revision) >= revision):
            return
        for one in self.generations:
            if one.revision == revision and one.digest != digest:
                raise RevisionTaken(
                    f'revision {revision} of "{application}" already stands for other definitions: generation '
                    f"{one.number}, digest {one.digest[:12]}; give these a higher revision"
                )

    def after(self, move: Move, digest: str, revision: int | None) -> "Order":
        match move:
            case "add":
                number = max((one.number for one in self.generations), default=0) + 1
                return Order([*self.generations, Generation(number, digest, True, False, revision)])
            case "raise":
                own = self.latest(digest)
                return Order([replace(one, revision=revision) if one == own else one for one in self.generations])
            case "put on top":
                counts_as = self.revision_on_top(digest, revision)
                recorded = self.after("raise" if self.is_on_top(digest, revision) else "add", digest, counts_as)
                return recorded.after("rule", digest, counts_as)
            case "rule" | "stand in":
                own = self.latest(digest)
                return Order(
                    [replace(one, rules=one == own, is_staged=one.is_staged and one != own) for one in self.generations]
                )
            case _:
                assert_never(move)


def rank_of(revision: int | None) -> int:
    """Return the place of a revision among others; none comes before all."""
    return -1 if revision is None else revision


Fingerprints = Mapping[str, tuple[str, str]]
"""By schedule, a digest of what execution reads of it, and one of all of it."""


@dataclass(frozen=True, slots=True)
class Differences:
    """The schedules in which one generation differs from another."""

    renamed: tuple[str, ...] = ()
    """They execute the same under another name: ``night, here nightly``."""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """They execute something else."""
    retimed: tuple[str, ...] = ()
    """They execute the same, but are due at other times, or described otherwise."""

    def __str__(self) -> str:
        """Return them as text: ``added: a; removed: b, c``."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        named["other timing or description"] = named.pop("retimed")
        return "; ".join(f"{what}: {listed(names)}" for what, names in named.items() if names)


def differences(own: Fingerprints, other: Fingerprints) -> Differences:
    both = sorted(own.keys() & other.keys())
    gone = {other[name][0]: name for name in other.keys() - own.keys()}
    renamed = {name: gone[own[name][0]] for name in sorted(own.keys() - other.keys()) if own[name][0] in gone}
    return Differences(
        renamed=tuple(f"{before}, here {name}" for name, before in renamed.items()),
        added=tuple(sorted(own.keys() - other.keys() - renamed.keys())),
        removed=tuple(sorted(other.keys() - own.keys() - set(renamed.values()))),
        changed=tuple(name for name in both if own[name][0] != other[name][0]),
        retimed=tuple(name for name in both if own[name][0] == other[name][0] and own[name][1] != other[name][1]),
    )


# The moves of a replica and of a sync about which definitions rule
#
# The newest generation rules, whose definitions are those in the database. An older one stands in for it when no
# replica of the newer ones has been ready for a while, so that nothing stays undone; that changes no order, retires
# nothing, and ends when the newer one has been back for as long. Only a generation that nobody has seen for a quarter
# of an hour is superseded for good.

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
    own = order.latest(digest)
    assert own is not None  # noqa: S101 - it is recorded first
    if order.is_newest(own):
        # Where all have just restarted, an older one that was the first has found no newer one away for long.
        had_time = any(ready >= takeover_after for other, ready in others.ready.items() if other != digest)
        at_once = starting and not had_time
        may_rule = own.is_staged or at_once or count.ready >= takeover_after
        return "rule" if may_rule and not own.rules else None
    if order.newer_than(own) & others.ready.keys():
        return None
    if own.rules:
        return "put on top" if count.absent >= FOR_GOOD_AFTER else None
    is_alone = starting and not others.living
    return "stand in" if is_alone or count.absent >= takeover_after else None


def sync_move(order: Order, digest: str, others: Others, *, revision: int | None = None) -> Move | None:
    """Return what a sync of the definitions ``digest`` does, if anything.

    Beside living replicas of others it only records them: they are staged. Where none lives, they are
    put on top, unless they have a lower revision, or none: then they stand in.
    """
    if (recorded := _to_record(order, digest, revision)) is not None:
        return recorded
    own = order.latest(digest)
    assert own is not None  # noqa: S101 - it is recorded first
    if others.living - {digest}:
        return None
    if order.newest is not None and rank_of(own.counted) < rank_of(order.newest.counted):
        return None if own.rules else "stand in"
    return None if own.rules and order.is_newest(own) else "put on top"


def recorded(order: Order, digest: str, revision: int | None) -> Order:
    """Return the order in which the definitions ``digest`` are recorded, as they come with this revision."""
    move = _to_record(order, digest, revision)
    return order if move is None else order.after(move, digest, revision)


def _to_record(order: Order, digest: str, revision: int | None) -> Move | None:
    """Return what must be recorded first: definitions that are unknown, or a higher revision.

    A revision that only says more of those that rule, or wait for their first replica, is raised
    where it stands. Others come anew with it, and so rule at once if they are the newest now.
    """
    own = order.latest(digest)
    if own is None:
        return "add"
    # They may have come with it, although it does not count any more.
    has_come = any((one.digest, one.revision) == (digest, revision) for one in order.generations)
    if has_come or rank_of(revision) <= rank_of(own.revision):
        return None
    return "raise" if own.is_staged or (own.rules and order.is_newest(own)) else "add"


def is_newer_ready(order: Order, digest: str, others: Others) -> bool:
    """Return what a replica of ``digest`` counts: whether one of the newest generation, or of a newer one, is ready."""
    own = order.latest(digest)
    if own is None or order.is_newest(own):
        return True
    return bool(order.newer_than(own) & others.ready.keys())
