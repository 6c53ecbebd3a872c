"""The forecast: what would become of definitions if they were brought now. Pure (rule 21)."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from .moves import Count, next_move, sync_move
from .order import Generation, Move, Order, Others, PutOnTop
from .standing import State, missing, state_of

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
        after = order.without(order.outranked(revision, others.living)).after(PutOnTop(), digest, revision)
    else:
        decide = _decision(digest, others, by, takeover_after, revision)
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


def _decision(
    digest: str, others: Others, by: Bringer, takeover_after: float, revision: int | None
) -> Callable[[Order], Move | None]:
    if by == "sync":
        return lambda order: sync_move(order, digest, others, revision=revision)
    return lambda order: next_move(
        order, digest, others, Count(), starting=True, takeover_after=takeover_after, revision=revision
    )
