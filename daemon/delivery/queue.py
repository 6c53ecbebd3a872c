"""What becomes of the messages that a claim has taken, before they are sent: decided purely."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..store.statements.delivery import LatelySent

MOST_OF_A_KIND = 10
"""So many messages of a kind a target gets within `WITHIN`; what comes beyond is told by one message."""
WITHIN = 60.0
GIVEN_UP_AFTER = 3 * 86_400.0
"""Seconds after which a message that could not be delivered is given up."""
_WAITS = (5.0, 30.0, 120.0, 600.0, 1800.0)
LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What is known of a message that a claim has taken."""

    target: str
    kind: str
    held: bool
    is_over: bool
    """The run is over."""


def before_sending(
    taken: Taken, lately: Mapping[tuple[str, str], LatelySent], gone: bool
) -> Literal["send", "fold", "gone", "dropped"] | float:
    """Return what to do with it; seconds: hold it for so long, and then let it tell all of its kind."""
    if gone:
        return "gone"
    if taken.kind == "ping.start" and taken.is_over:
        return "dropped"
    if taken.held:
        return "fold"
    sent = lately.get((taken.target, taken.kind))
    if taken.kind.startswith("ping.") or sent is None or sent.count < MOST_OF_A_KIND:
        return "send"
    return max(1.0, WITHIN - sent.since)


def after_failure(kind: str, attempts: int, age: float, asked: float | None) -> Literal["given up"] | float:
    """Return in how many seconds a message is sent again; ``asked`` is what its target asks for."""
    if kind == "ping.start" or age > GIVEN_UP_AFTER:  # a start that comes late would be taken for another run's
        return "given up"
    wait = _WAITS[attempts - 1] if attempts <= len(_WAITS) else LONGEST_WAIT
    return min(LONGEST_WAIT, max(wait, asked or 0.0))
