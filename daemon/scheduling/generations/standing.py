"""The standing of a replica's definitions among the generations, what comes next and when, and what
would become of definitions if they were brought now. Pure (rule 21).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, assert_never

from lease.durations import format_duration

from ...text import counted
from .order import FOR_GOOD_AFTER, Count, Generation, Move, Order, Others, next_move, rank_of, sync_move

State = Literal["unknown", "current", "in lieu", "staged", "next", "superseded"]


@dataclass(frozen=True, slots=True)
class Standing:
    state: State
    number: int = 0
    other: int = 0
    """The generation that supersedes it, stands in for it, for which it stands in, or that is staged; or 0."""
    is_other_ready: bool = True
    """A replica of a newer generation is ready."""
    missing: str = ""
    """What would have to be added to the definitions, for them to be the newest."""
    is_held_back: bool = False
    """They came later than the newest, whose higher revision nobody runs."""
    waits: float | None = None
    """Seconds until what comes next, as this replica counts them; None: nothing is counted."""
    long_enough: float = 0.0
    """How long a replica must have been ready, or away, for that."""

    @property
    def change(self) -> tuple[object, ...]:
        """What is worth telling when it changes; the time that is left is not."""
        return (self.state, self.number, self.other, self.is_other_ready, self.missing)

    def text(self, passed: float = 0.0) -> str:
        """Return the standing as text, when so many seconds have passed since."""
        me, other, while_ = f"generation {self.number}", f"generation {self.other}", format_duration(self.long_enough)
        within = format_duration(float(max(0, round((self.waits or 0.0) - passed))))
        remark = f"; {self.missing}" if self.is_held_back else ""
        match self.state:
            case "unknown":
                return "these definitions have no generation yet"
            case "current" if self.other:
                return f"{me} is active; {other} is staged, and becomes active as soon as one of its replicas is ready"
            case "current":
                return f"{me} is active"
            case "staged":
                return f"{me} is staged: it becomes active as soon as one of its replicas is ready"
            case "in lieu" if self.is_other_ready:
                return (
                    f"{me} is the fallback for {other}, which has a ready replica again: {other} takes over in {within}"
                )
            case "in lieu":
                return (
                    f"{me} is the fallback for {other}, which has no ready replica; it retires nothing, and "
                    f"becomes active for good in {within} unless a replica of {other} has been ready for {while_} "
                    f"by then{remark}"
                )
            case "next":
                return f"{me} is on standby: {other} is its fallback; {me} becomes active in {within} if it stays ready"
            case "superseded" if self.is_other_ready:
                remedy = self.missing or "to make its definitions active now, start it with --take-over"
                return (
                    f"{me} is superseded by {other}: this replica changes no definitions; if no newer replica is ready "
                    f"for {while_}, this one becomes the fallback; {remedy}"
                )
            case "superseded":
                return (
                    f"{me} is superseded by {other}, which has no ready replica: falling back to {me} in {within}"
                    f"{remark}"
                )
            case _:
                assert_never(self.state)


def stand(order: Order, digest: str, others: Others, count: Count, *, takeover_after: float) -> Standing:
    """Return how the definitions ``digest`` of a ready replica stand."""
    own, newest, ruler = order.latest(digest), order.newest, order.ruler
    if own is None or newest is None or ruler is None:
        return Standing("unknown")
    state = state_of(order, own)
    is_ready = bool(order.newer_than(own) & others.ready.keys())
    match state:
        case "current":
            staged = (one.number for one in order.generations if one.is_staged and one.rank > own.rank)
            return Standing(state, own.number, max(staged, default=0))
        case "staged" | "unknown":
            return Standing(state, own.number)
        case "next":
            waits: float | None = takeover_after - count.ready
            return Standing(state, own.number, ruler.number, waits=waits, long_enough=takeover_after)
        case "in lieu":
            waits = takeover_after - count.ready if is_ready else FOR_GOOD_AFTER - count.absent
        case "superseded":
            waits = None if is_ready else takeover_after - count.absent
        case _:
            assert_never(state)
    return Standing(
        state,
        own.number,
        newest.number,
        is_other_ready=is_ready,
        missing=missing(own, newest, others.living),
        is_held_back=held_back_by(own, newest, others.living) is not None,
        waits=waits,
        long_enough=takeover_after,
    )


def who_runs(running: Iterable[tuple[int, int | None, Sequence[str]]]) -> str:
    """Return who runs generations, each given with its revision and the hosts of its replicas, as text:
    ``2 replicas on web1, web2 run generation 7``.
    """
    return ", ".join(
        f"{on_hosts(hosts)} {'runs' if len(hosts) == 1 else 'run'} generation {number}"
        + (f" (revision {revision})" if revision is not None else "")
        for number, revision, hosts in running
    )


def on_hosts(hosts: Sequence[str]) -> str:
    """Return how many replicas are on which hosts, as text; ``hosts`` has that of each."""
    return f"{counted(len(hosts), 'replica')} on {', '.join(sorted(set(hosts)))}"


def state_of(order: Order, own: Generation) -> State:
    if order.is_newest(own):
        return "current" if own.rules else "staged" if own.is_staged else "next"
    return "in lieu" if own.rules else "superseded"


def missing(own: Generation, newest: Generation, living: Collection[str]) -> str:
    """Return what keeps ``own`` from superseding ``newest``, if that is its revision; otherwise nothing."""
    if newest.counted is None or rank_of(own.counted) >= newest.counted:
        return ""
    if (revision := held_back_by(own, newest, living)) is not None:
        return f"it is {held_back(revision)}"
    has = "it has no revision" if own.revision is None else f"its revision is {own.revision}"
    return (
        f"{has}, and generation {newest.number} has {newest.counted}: to make it active, give it a higher one, "
        f"such as --revision {newest.counted + 1}, or start it with --take-over"
    )


def held_back_by(own: Generation, newest: Generation, living: Collection[str]) -> int | None:
    """Return the revision of ``newest``, if it keeps ``own``, which came later, from being current, and none of the
    ``living`` replicas runs it; otherwise None.
    """
    is_lower = newest.counted is not None and rank_of(own.counted) < newest.counted
    return newest.counted if is_lower and own.number > newest.number and newest.digest not in living else None


def held_back(revision: int) -> str:
    """Return that it is, and the remedy, as text."""
    return (
        f"held back by revision {revision}, which no replica runs; if that revision was a mistake, make the "
        "newer definitions active with `leased sync FILE --take-over`"
    )


Bringer = Literal["replica", "sync"]
"""Who would bring the definitions: a replica that is ready, or `leased sync`."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The generation that definitions would be, and how it would stand."""

    number: int
    is_new: bool
    """There is no such generation yet."""
    state: State
    missing: str = ""
    """What keeps them from being the newest, if that is their revision."""


def forecast(
    order: Order,
    digest: str,
    others: Others,
    *,
    by: Bringer,
    takeover_after: float,
    take_over: bool = False,
    revision: int | None = None,
) -> Forecast:
    """Return what would become of the definitions ``digest``, brought by a ready replica or a sync."""
    after = order
    if take_over:
        after = order.without(order.outranked(revision, others.living)).after("put on top", digest, revision)
    else:

        def decide(order: Order) -> Move | None:
            if by == "sync":
                return sync_move(order, digest, others, revision=revision)
            return next_move(
                order, digest, others, Count(), starting=True, takeover_after=takeover_after, revision=revision
            )

        while (move := decide(after)) is not None:
            after = after.after(move, digest, revision)
    own, newest = after.latest(digest), after.newest
    assert own is not None  # noqa: S101 - the first move records it
    return Forecast(
        own.number,
        is_new=own.number not in {one.number for one in order.generations},
        state=state_of(after, own),
        missing=missing(own, newest, others.living) if newest is not None else "",
    )


def superseded(order: Order, digest: str, others: Others) -> list[Generation]:
    """Return the generations of living replicas that the definitions ``digest``, recorded in ``order``, would supersede,
    at once or when a replica of them has been ready for long enough.

    A replica whose definitions nobody has brought yet runs nothing.
    """
    own = order.latest(digest)
    if own is None or own.rules or not order.is_newest(own):
        return []
    found = (order.latest(other) for other in others.living - {digest})
    return sorted((one for one in found if one is not None), key=attrgetter("number"))
