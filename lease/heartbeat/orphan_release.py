"""The release of orphans: grants that the database has under this client, and the client does not
hold (rule 6). A lost one is left alone while work under it may go on.
"""

from collections.abc import Iterable

from anyio.abc import TaskGroup

from .. import events
from ..clock import Clock
from ..grant_state import GrantState
from ..model import Grant, LossKind, mark_of
from ..store import Store
from ..timing import LeaseTiming


class QuarantinedGrants:
    """How long each lost grant is left alone. Released earlier, its name could go to another client
    while the work goes on.
    """

    def __init__(self, timing: LeaseTiming, clock: Clock) -> None:
        self._timing = timing
        self._clock = clock
        self._until: dict[Grant, float] = {}

    def add(self, state: GrantState, kind: LossKind) -> None:
        """Leave this lost grant alone until it is stale; from then on another client could have it anyway."""
        if kind in (LossKind.ENDED, LossKind.BROKEN):  # the database has it no more
            return
        now, timing = self._clock(), self._timing
        while self._until and (oldest := next(iter(self._until))) not in self:
            del self._until[oldest]
        stale = state.trusted_until - timing.give_up + timing.ttl
        self._until[state.grant] = max(stale, now + timing.kill_time)

    def drop(self, grant: Grant) -> bool:
        """Forget a grant whose work has ended; False when it was not here."""
        return self._until.pop(grant, None) is not None

    @property
    def grants(self) -> list[Grant]:
        """All that is left alone now."""
        return [grant for grant in self._until if grant in self]

    def __contains__(self, grant: Grant) -> bool:
        return self._clock() < self._until.get(grant, 0.0)


class OrphanRelease:
    """Releases orphans, each apart from the heartbeat, which must not wait: a transaction fenced
    with the grant may hold its row for long.

    What is to be released is renewed no more: where its release fails again and again, it goes stale.
    """

    def __init__(self, store: Store, quarantined: QuarantinedGrants, notify: events.Listener) -> None:
        self._store = store
        self._quarantined = quarantined
        self._notify = notify
        self._under_way: set[Grant] = set()
        self._leaving: set[Grant] = set()
        self._tasks: TaskGroup | None = None

    def run_in(self, tasks: TaskGroup | None) -> None:
        """Release what comes from now on in ``tasks``; None: nothing any more."""
        self._tasks = tasks

    @property
    def leaving(self) -> list[Grant]:
        """What is to be released, and is not known to be."""
        return list(self._leaving)

    def begin(self, orphans: Iterable[Grant]) -> None:
        """Begin to release those of ``orphans`` under which no work can go on."""
        for orphan in orphans:
            if orphan not in self._quarantined:
                self._quarantined.drop(orphan)
                self._begin(orphan)

    def left(self, grant: Grant) -> None:
        """Begin to release a lost grant whose work has ended now, or the mark that it was broken."""
        if self._quarantined.drop(grant):
            self._begin(grant)
        self._begin(mark_of(grant))

    def _begin(self, orphan: Grant) -> None:
        """Begin to release ``orphan``, unless that is under way; if it fails, it is tried again with the next renewal."""
        if self._tasks is not None and orphan not in self._under_way:
            self._tasks.start_soon(self._release, orphan)
            self._leaving.add(orphan)
            self._under_way.add(orphan)

    async def _release(self, orphan: Grant) -> None:
        try:
            released = await self._store.release(orphan)
            self._leaving.discard(orphan)
            if released:
                self._notify(events.OrphanReleased(orphan))
        except Exception as error:  # noqa: BLE001 - it is tried again with the next renewal
            self._notify(events.ReleaseFailed(orphan, str(error)))
        finally:
            self._under_way.discard(orphan)
