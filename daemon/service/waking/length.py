"""How long a replica rests between two looks; pure decisions (rule 24)."""

from dataclasses import dataclass

from ..loop.agenda import Agenda

LONGEST = 12.0
"""Seconds for which a replica that hears rests at the longest. Its sign of life, each 10 s, looks
too; so this comes into play only where that fails."""


@dataclass(frozen=True, slots=True)
class RoomLeft:
    """Whether a replica may start another run now, and in how many seconds more of them, if time decides."""

    is_left: bool
    in_seconds: float | None = None


def longest_rest(agenda: Agenda, *, hears: bool, watches: bool, poll: float, ttl: float) -> float:
    """Return the bound of a rest, in seconds.

    Where it hears, it is told of all that comes before the moments on its agenda. Of the deaths of
    others on this machine it is told if it ``watches`` them; otherwise it looks each `poll` while
    runs of others are at work (rule 18). Of what begins elsewhere and dies before it looks it is
    not told: such a lease goes stale no sooner than in a ttl.
    """
    if not hears or (agenda.others_running and not watches):
        return poll
    return max(poll, min(LONGEST, ttl))


def rest_length(agenda: Agenda, room: RoomLeft, *, longest: float, again: float) -> float:
    """Return how many seconds to rest after a look.

    Until the first moment at which there may be something to do. Anything still overdue is being
    handled, or locked, by another replica: look ``again`` soon.
    """
    moments = [*agenda.moments(has_room=room.is_left), room.in_seconds]
    return min([longest, *(until if until > 0 else again for until in moments if until is not None)])


def has_work(agenda: Agenda, room: RoomLeft) -> bool:
    """Return whether there is something to do now."""
    return any(until is not None and until <= 0 for until in agenda.moments(has_room=room.is_left))
