"""The tenures: the facts of each grant, put together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from daemon.audit.promises import in_time
from lease.model import Grant

from .facts import Fact, GrantBegan, GrantEnded, GrantRenewed


@dataclass(slots=True)
class Tenure:
    """A grant, as far as the history shows."""

    granted: GrantBegan
    last_sign: datetime
    """When it was granted or last renewed."""
    until: datetime | None
    """When it goes stale."""
    ended: GrantEnded | None = None
    succeeded_at: datetime | None = None
    """When the name was granted under a higher token."""

    @property
    def grant(self) -> Grant:
        return self.granted.grant

    @property
    def over_at(self) -> datetime:
        """When it was no longer in force: it had ended or gone stale."""
        stale = self.until or self.last_sign
        return min(stale, self.ended.at) if self.ended is not None else stale


class Tenures:
    """All grants of a history, by name and by grant."""

    def __init__(self, history: Iterable[Fact]) -> None:
        facts: list[Fact] = list(history)
        granted = [fact for fact in facts if isinstance(fact, GrantBegan)]
        self._by_grant = {fact.grant: Tenure(fact, fact.at, fact.until) for fact in granted}
        self._by_name: dict[str, list[Tenure]] = defaultdict(list)
        for fact in in_time(granted):
            self._by_name[fact.grant.name].append(self._by_grant[fact.grant])
        for change in facts:
            if isinstance(change, GrantRenewed | GrantEnded):
                _apply(self._by_grant.get(change.grant), change)
        for tenures in self._by_name.values():
            _set_successors(tenures)

    def __iter__(self) -> Iterator[Tenure]:
        return iter(self._by_grant.values())

    def of(self, grant: Grant) -> Tenure | None:
        """Return what is known of a grant; None if the history does not have its beginning."""
        return self._by_grant.get(grant)

    def successions(self) -> Iterator[tuple[Tenure, Tenure]]:
        """Yield each pair of successive grants of one name, by the database's time."""
        for tenures in self._by_name.values():
            yield from pairwise(tenures)

    def between(self, earlier: Grant, later: Grant) -> tuple[Tenure, ...]:
        """Return the grants of the later one's name that were granted between these two. With two names, which
        are slots of one lock: those before the later one that were still in force when the earlier was over.
        """
        before = [tenure for tenure in self._by_name.get(later.name, []) if tenure.grant.token < later.token]
        if earlier.name == later.name:
            return tuple(tenure for tenure in before if earlier.token < tenure.grant.token)
        lost = self.of(earlier)
        return tuple(tenure for tenure in before if lost is None or tenure.over_at > lost.over_at)

    def end_of(self, grant: Grant) -> datetime | None:
        """Return when a grant was released, settled or succeeded; None if it is still in force."""
        tenure = self.of(grant)
        if tenure is None:
            return None
        ends = [tenure.ended.at if tenure.ended else None, tenure.succeeded_at]
        return min((at for at in ends if at is not None), default=None)


def _apply(tenure: Tenure | None, fact: GrantRenewed | GrantEnded) -> None:
    if tenure is None:
        return
    if isinstance(fact, GrantEnded):
        tenure.ended = tenure.ended or fact
    elif fact.at >= tenure.last_sign:
        tenure.last_sign, tenure.until = fact.at, fact.until


def _set_successors(tenures: Iterable[Tenure]) -> None:
    earliest: datetime | None = None
    for tenure in sorted(tenures, key=lambda tenure: tenure.grant.token, reverse=True):
        tenure.succeeded_at = earliest
        at = tenure.granted.at
        earliest = at if earliest is None else min(earliest, at)
