"""The rest between two looks of a replica: the agenda that a look reads, how long it rests by it, and what wakes it."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from random import uniform
from time import monotonic
from typing import assert_never

from sqlalchemy import Connection

from lease.timing import LeaseTiming

from ...definitions.application import Known
from ...recovery.deaths import DeathWatch
from ...scheduling.plan_due import ToPlan
from ...store import statements
from ...store.notices import Notice


@dataclass(frozen=True, slots=True)
class Agenda:
    """The work on the known schedules of an application, as of `database_time`; seconds below 0 are overdue."""

    database_time: datetime
    until_due: float | None
    """Until there is something to plan: an instant, a run that missed its `start_within`, or one that was
    requested for then, or by a backfill, and takes its place."""
    until_available: float | None
    """Until a run may be claimed; if its lease is held, until that lease would go stale. 0: now."""
    until_stale: float | None
    """Until the lease of a running run would go stale; 0 or less: there is something to settle."""
    to_plan: ToPlan
    """What a plan is to ask for: nothing, unless something is due now (ADR 51)."""
    available: bool
    """A run may be claimed now."""
    pending: bool
    """A run is pending: it may be claimed, or waits for a retry, for its predecessor, or for a live lease.
    One that was requested for a moment to come is not meant: it is no more pending than an instant."""
    running: bool
    """A run is running, in whatever replica."""
    others_running: bool
    """A run of another holder is running."""
    due_next: str | None = None
    """The key of the schedule that is due first, `until_instant` from now."""
    until_instant: float | None = None

    @property
    def due(self) -> bool:
        """There is something to plan now."""
        return any(self.to_plan)

    @property
    def stranded(self) -> bool:
        """A run has lost its lease and must be settled."""
        return self.until_stale is not None and self.until_stale <= 0

    @property
    def idle(self) -> bool:
        return not (self.due or self.pending or self.running)

    def moments(self, *, has_room: bool) -> list[float | None]:
        """Return the seconds until there may be something to do, by what it is."""
        return [self.until_due, self.until_stale, *([self.until_available] if has_room else [])]


def read_agenda(connection: Connection, application: str, known: Known, holder: str | None = None) -> Agenda:
    """Return the agenda for the known schedules; ``holder`` is this replica."""
    while True:
        others = (known.other_digests, known.other_schedules)
        row = statements.agenda.read(connection, application, *others, holder)
        leases = {queue.name: queue.leases for queue in known.queues}
        queues = statements.agenda.read_queues(connection, application, leases, others[0], holder)
        waiting: list[statements.agenda.Found | statements.agenda.InQueue] = [row, *queues]
        digests = [row.pending, row.running, *[digest for one in waiting for digest in (one.available, one.starting)]]
        if not known.meet(digests, (row.due_schedule, row.late_schedule, row.place_schedule, row.fed_schedule)):
            break
        known.meet(
            statements.agenda.digests(connection, application), statements.agenda.schedules(connection, application)
        )
    is_late = row.until_late is not None and row.until_late < 0
    first_due = _earliest([row.until_due, row.until_place])
    is_due = is_late or row.fed_schedule is not None or (first_due is not None and first_due <= 0)
    # With what is due now is planned what comes to be due before that is done: a run that is late by then makes way for
    # an instant, and one that was requested for then goes ahead of it.
    to_plan = ToPlan(
        late=is_due and row.until_late is not None,
        requests=is_due and row.until_place is not None,
        instants=is_due and row.until_due is not None,
        backfills=row.fed_schedule is not None,
    )
    starts = [at for each in waiting for at in (each.until_start, each.until_free)]
    available = [each.available for each in waiting if each.available is not None]
    return Agenda(
        database_time=row.database_time,
        until_due=_earliest([row.until_due, row.until_late, 0.0 if to_plan.backfills else row.until_place]),
        until_available=0.0 if available else _earliest(starts),
        until_stale=0.0 if row.put_back else row.until_stale,
        to_plan=to_plan,
        available=bool(available),
        pending=row.pending is not None,
        running=row.running is not None,
        others_running=bool(row.others_running),
        due_next=row.due_schedule,
        until_instant=row.until_due,
    )


def _earliest(moments: Iterable[float | None]) -> float | None:
    return min([seconds for seconds in moments if seconds is not None], default=None)


# The rest

LONGEST = 12.0
"""Seconds for which a replica that hears rests at most. Its sign of life looks sooner, each 10 s, unless it fails."""


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
    """Return how many seconds to rest after a look: until the first moment at which there may be something to do. What
    is overdue is being handled, or locked, by another replica: look ``again`` soon.
    """
    moments = [*agenda.moments(has_room=room.is_left), room.in_seconds]
    return min([longest, *(until if until > 0 else again for until in moments if until is not None)])


def has_work(agenda: Agenda, room: RoomLeft) -> bool:
    return any(until is not None and until <= 0 for until in agenda.moments(has_room=room.is_left))


_SHOW_EVERY = 5.0
"""Seconds of a rest after which the loop shows that it is alive."""
_SPREAD = 0.005
"""Seconds over which replicas that hear the same notice spread their looks."""


class IdleWait:
    """The rest, which lasts for a time that may change meanwhile, or until it is woken."""

    def __init__(self, hears: Callable[[], bool], deaths: DeathWatch, poll: float, timing: LeaseTiming) -> None:
        self._hears = hears
        self.deaths = deaths
        deaths.died = self.wake
        self._poll, self._timing = poll, timing
        self._woken = asyncio.Event()
        self._wants_look = False
        self._began = self._end = 0.0
        self._shown_at = monotonic()

    def begin_look(self) -> None:
        """Take in that the loop looks now: whatever woke it before is seen by that."""
        self._wants_look = False
        self.begin_claim()

    def begin_claim(self) -> None:
        """Take in that the loop fills its places, and looks after nothing else."""
        self._woken.clear()
        self._shown_at = monotonic()

    @property
    def is_for_places(self) -> bool:
        """Return whether nothing but free places has ended the rest so far, which would go on otherwise."""
        return not self._wants_look and monotonic() < self._end

    def age(self) -> float:
        """Return the seconds since the loop was last seen at work or at rest. For any thread."""
        return monotonic() - self._shown_at

    def wake(self) -> None:
        """End the rest, or the next one if the loop is at work."""
        self._wants_look = True
        self._woken.set()

    def wake_for_places(self) -> None:
        """End the rest, or the next one, only to fill places: a run has ended."""
        self._woken.set()

    def wake_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.wake)

    async def after(self, agenda: Agenda, room: RoomLeft) -> None:
        """Rest after a look until there may be something to do."""
        await self.rest(self._length(agenda, room))

    def take_in(self, agenda: Agenda, room: RoomLeft, began: float) -> None:
        """Take in another look, which began at this monotonic time: if there is something to do,
        wake the loop; otherwise rest by that one. One from before the rest may not know what the
        loop has seen since, so it only shortens it.
        """
        if has_work(agenda, room):
            self.wake()
            return
        seconds = self._length(agenda, room)
        sooner = (end := monotonic() + seconds) < self._end
        if sooner:
            self.wake_in(seconds)
        if sooner or began >= self._began:
            self._end = end

    def _length(self, agenda: Agenda, room: RoomLeft) -> float:
        hears, watches = self._hears(), self.deaths.suffices
        longest = longest_rest(agenda, hears=hears, watches=watches, poll=self._poll, ttl=self._timing.ttl)
        return rest_length(agenda, room, longest=longest, again=self._timing.retry_wait)

    async def rest(self, seconds: float) -> None:
        """Rest until woken, and show now and then that this loop is alive."""
        self._began = monotonic()
        self._end = self._began + seconds
        while not self._woken.is_set() and (left := self._end - monotonic()) > 0:
            self._shown_at = monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, _SHOW_EVERY)):
                    await self._woken.wait()

    async def go_on(self) -> None:
        """Rest for as long as the rest before would have lasted."""
        await self.rest(self._end - monotonic())


@dataclass(frozen=True, slots=True)
class Wakes:
    """The parts of a replica that wake: its loop, its check-in, and its watch for cancels."""

    rest: IdleWait
    check_in: Callable[[], None]
    cancels: Callable[[], None]
    room: Callable[[], RoomLeft]
    """Whether it may start another run: a full one is not woken, as it looks when one of its own has ended."""
    at_work: Callable[[], Collection[int]]
    """The runs at work in it."""

    def hear(self, notice: Notice) -> None:
        match notice.about:
            case "work":
                if self.room().is_left:
                    self.rest.wake_in(uniform(0.0, _SPREAD))  # noqa: S311 - it only spreads a herd
            case "definitions":
                self.check_in()
            case "cancel":
                if notice.run_id in self.at_work():
                    self.cancels()
            case "alive":
                pass
            case _:
                assert_never(notice.about)

    def changed(self) -> None:
        """Wake whatever may have to know. Not the check-in: it writes itself, and would never come to rest."""
        if self.room().is_left:
            self.rest.wake()
        if self.at_work():
            self.cancels()

    def look_again(self) -> None:
        self.rest.wake()
        self.check_in()
        self.cancels()
