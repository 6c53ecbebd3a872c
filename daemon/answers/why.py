"""The answer about why a schedule or a run does or does not run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ..operations.generations import read_standings
from ..operations.named import application_of
from ..operations.why import Evidence, Explanation, Moments, State, read_why_schedule, why_not_active
from ..recovery.deaths import neighbours, proven_dead
from ..store.views.names import keys_named, require_application, require_schedule
from . import filled


@dataclass(frozen=True, slots=True)
class WhyAnswer:
    """The answer of `leased why --json`."""

    database_time: datetime
    application: str
    schedule: str
    run_id: int | None
    """None: it is about the schedule."""
    state: State
    text: str
    """The state in one sentence."""
    since: datetime | None
    until: datetime | None
    """When it changes without anybody's help."""
    next: Sequence[str]
    """The commands that tell more, or help."""
    items: Sequence[Evidence]
    """The facts behind the sentence."""


def explain_schedule(
    connection: Connection, name: str, application: str | None, takeover_after: float, moments: Moments
) -> Explanation:
    """Return why a schedule does or does not run; raises `NotFound` and `Ambiguous`."""
    require_application(connection, application)
    dead = proven_dead(neighbours(connection))
    standings = read_standings(connection, application, dead=dead, takeover_after=takeover_after)
    if not keys_named(connection, name, application, retired=True):
        if (answer := why_not_active(name, standings)) is not None:
            return answer
        require_schedule(connection, name, application)
    of = application_of(connection, name, application)
    keys = keys_named(connection, name, of) or keys_named(connection, name, of, retired=True)
    own = [one for one in standings if one.application == of]
    return read_why_schedule(connection, name, keys[0], own, dead=dead, moments=moments)


def why_answer(now: datetime, found: Explanation) -> WhyAnswer:
    """Return the explanation as one object."""
    return filled(WhyAnswer, found, found.sentence, database_time=now, items=found.evidence)
