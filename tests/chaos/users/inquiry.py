"""The inquiry after the users have ended: what they and the witness wrote down, and whether each name
can be had again.
"""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Engine

import lease.sync
from lease import LeaseError, LeaseTiming
from tests.checker.facts import Outage

from .. import history
from ..diary import Note
from ..lanes import Done
from ..site import Site
from . import records
from .crowd import Crowd
from .journal import journals
from .plans import OWN, SHARED


def inquire(site: Site, engine: Engine, crowd: Crowd, faults: Sequence[Done], clocks: history.Clocks) -> records.Users:
    """Return all that is known of the users."""
    known = list(journals(site.folder))
    with engine.connect() as connection:
        return records.Users(
            hand_overs=list(records.hand_overs(connection, clocks)),
            broken=list(records.broken(connection, clocks)),
            released=dict(records.released(connection, clocks)),
            visits=[visit for user, notes in known for visit in records.visits(user, notes)],
            attempts=[attempt for user, notes in known for attempt in records.attempts(user, notes)],
            effects=records.effects(connection),
            faults=list(faults),
            ends=crowd.ends,
            bad_lines=list(history.bad_lines(crowd.logs)),
            bursts=[burst for user, notes in known for burst in records.bursts(user, notes)],
            forks=_times(known, "forked"),
            interrupts=_times(known, "interrupted"),
            wrong=[f"{user}: {note['why']}" for user, notes in known for note in notes if note["what"] == "wrong"],
        )


def _times(known: Iterable[tuple[str, Sequence[Note]]], what: str) -> int:
    return sum(note["what"] == what for _, notes in known for note in notes)


def kept_for_others(hand_overs: Iterable[records.HandOver], clocks: history.Clocks) -> Iterator[Outage]:
    """Yield the times in which nobody could take the shared lock, because it was kept for one who
    waited and did not come.
    """
    for one in hand_overs:
        if one.grant.name == SHARED and one.passed and one.free_since is not None:
            yield Outage(clocks.instant(one.free_since), clocks.instant(one.at))


def stuck(url: str, ttl: float) -> list[str]:
    """Take and release each name of the users; return those that are not to be had."""
    found = []
    with lease.sync.LeaseClient(url, timing=LeaseTiming(ttl=ttl), label="the campaign") as client:
        for name in OWN:
            try:
                with client.hold(name, wait=3 * ttl):
                    pass
            except LeaseError as error:
                found.append(f"{name}: {error}")
    return found
