"""The database: the library's own store in memory, whose every change is recorded and compared with what was asked for."""

from collections.abc import Callable, Collection, Coroutine
from copy import copy
from datetime import UTC, datetime
from typing import Any, TypeVar

from lease.errors import LeaseLost
from lease.model import Grant, LeaseRecord, Renewal
from lease.testing.store import MemoryStore, _Row
from tests.checker.facts import Fact, FencedWriteRefused, GrantBegan, GrantEnded, GrantRenewed, HighestToken, Written

from .world import Broken, World

T = TypeVar("T")


def moment(seconds: float) -> datetime:
    """Return the true time as the facts have it."""
    return datetime.fromtimestamp(seconds, UTC)


def now_of(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise Broken("the store in memory waited")


class Database(MemoryStore):
    """Each operation is one moment of the true time. The facts tell what became of the rows, whatever was answered."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._world = world
        self.facts: list[Fact] = []
        self.seized: set[Grant] = set()
        """What was ended by force, against the rules: its holder still trusts it, and must be told."""
        self.asked_at = 0.0
        """When the renewal under way was sent."""
        self.on_granted: Callable[[Grant], None] = lambda _: None
        self.on_renewed: Callable[[Grant], None] = lambda _: None

    async def grant(
        self, name: str, holder: str, label: str, ttl: float, *, queue: bool = False
    ) -> Grant | LeaseRecord | None:
        at, before = self._world.tick(), self._copy()
        answer = await super().grant(name, holder, label, ttl, queue=queue)
        for changed, row in self._changed(before):
            if changed != name or row.holder != holder:
                raise Broken(f"a grant of {name!r} to {holder} changed {changed!r} for {row.holder}")
            grant = Grant(changed, row.token, holder)
            self.facts.append(GrantBegan(grant, moment(at), moment(row.expires_at)))
            self._world.tell("database", f"grants {changed} token {row.token} to {holder}")
            self.on_granted(grant)
        return answer

    async def renew(
        self, holder: str, ttl: float, expected: Collection[Grant], besides: Collection[Grant] = ()
    ) -> Renewal:
        at, before = self._world.tick(), self._copy()
        answer = await super().renew(holder, ttl, expected, besides)
        for name, row in self._changed(before):
            was = before[name]
            if (row.token, row.holder, was.holder) != (was.token, was.holder, holder):
                raise Broken(f"a renewal of {holder} changed {name!r}, which {was.holder} holds with token {was.token}")
            grant = Grant(name, row.token, holder)
            self.facts.append(GrantRenewed(grant, moment(at), moment(row.expires_at)))
            self._world.tell("database", f"renews {name} token {row.token} of {holder}")
            self.on_renewed(grant)
        return answer

    async def release(self, grant: Grant) -> bool:
        at, before = self._world.tick(), self._copy()
        answer = await super().release(grant)
        for name, row in self._changed(before):
            was = before[name]
            ended = Grant(name, was.token, str(was.holder))
            self.facts.append(GrantEnded(ended, moment(at)))
            if ended != grant or row.token != was.token or row.holder is not None:
                raise Broken(f"the release of {grant} ended {ended}")
            self._world.tell("database", f"releases {name} token {row.token} of {was.holder}")
        return answer

    async def release_all(self, holder: str, besides: Collection[str]) -> list[Grant]:
        at = self._world.tick()
        ended = await super().release_all(holder, besides)
        for grant in ended:
            self.facts.append(GrantEnded(grant, moment(at)))
            self._world.tell("database", f"releases {grant.name} token {grant.token} of {holder}, which is closed")
        return ended

    def settle(self) -> None:
        """End what is stale, as a startup cleanup does (rule 18)."""
        at = self._world.tick()
        for name, row in self._rows.items():
            if row.holder is not None and row.expires_at <= at:
                self._end(Grant(name, row.token, row.holder), at, "settles")

    def seize(self) -> None:
        """End what is live, as nobody may: a clock that jumps or a failover that forgets does it all the same."""
        at = self._world.tick()
        for grant in self.live():
            self.seized.add(grant)
            self._end(grant, at, "forgets")

    def _end(self, grant: Grant, at: float, how: str) -> None:
        row = self.row(grant)
        row.holder = row.label = None
        self.facts.append(GrantEnded(grant, moment(at)))
        self._world.tell("database", f"{how} {grant.name} token {grant.token} of {grant.holder}")

    def write(self, grant: Grant) -> bool:
        """Write under a fence, and commit: one moment."""
        at = self._world.tick()
        try:
            self.fence(grant)
        except LeaseLost:
            self.facts.append(FencedWriteRefused(grant, moment(at)))
            self._world.tell("database", f"refuses a write of {grant.holder} under {grant.name} token {grant.token}")
            return False
        self.facts.append(Written(grant, moment(at)))
        self._world.tell("database", f"takes a write of {grant.holder} under {grant.name} token {grant.token}")
        return True

    def row(self, grant: Grant) -> _Row:
        return self._rows[grant.name]

    def live(self) -> list[Grant]:
        """Return what is held and not stale."""
        now = self._world()
        rows = self._rows.items()
        return [Grant(name, row.token, row.holder) for name, row in rows if row.holder and row.expires_at > now]

    def history(self) -> list[Fact]:
        return [*self.facts, *(HighestToken(name, row.token) for name, row in self._rows.items())]

    def _copy(self) -> dict[str, _Row]:
        return {name: copy(row) for name, row in self._rows.items()}

    def _changed(self, before: dict[str, _Row]) -> list[tuple[str, _Row]]:
        untouched = _Row()
        return [(name, row) for name, row in self._rows.items() if row != before.get(name, untouched)]
