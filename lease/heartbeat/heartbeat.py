"""The heartbeat: renews every lease of one client, notices what is lost, and never ends quietly
(rules 2, 6, 7, 8 and 9).

It runs on the library's own event loop, in a thread of its own, so that no job can stop it. Two loops share the work:

    beat    renews all leases in one statement, every `renew_every`; after an error again after `retry_wait`, without end
    watch   declares a grant lost at the moment its trust ends, even while the beat waits

Between "renewed" and "lost" there is "unknown": the work goes on until trust ends.

What a renewal's answer has besides what is held is a *stranger*. Either a flight (an acquisition under way) explains it,
or its reply was lost, and it is released (`orphan_release`). To find it, `sweep` keeps the beat going for one ttl.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import anyio

from .. import events
from ..cancellation import is_cancelled
from ..clock import Clock
from ..errors import StoreUnavailable
from ..grant_state import GrantState, HeldGrants
from ..model import CLOSED_CAUSE, Grant, Loss, LossKind
from ..store import Store
from ..timing import LeaseTiming
from .evidence import DatabaseClock, RenewalHistory, Risks, Verdicts, judge, strangers
from .orphan_release import OrphanRelease, QuarantinedGrants

ANY_NAME = ""
"""In place of a name, where what is being acquired is not known beforehand."""


@dataclass(frozen=True, slots=True, eq=False)
class Flight:
    """One acquisition under way, of ``name`` or of `ANY_NAME`; equal to itself alone."""

    name: str

    def explains(self, grant: Grant) -> bool:
        """Return whether this acquisition may have been granted it."""
        return self.name in (grant.name, ANY_NAME)


Explanations = Mapping[Grant, frozenset[Flight]]
"""The flights that may still adopt each grant that is not held; a grant without one is an orphan."""


def explanations(strangers: Collection[Grant], known: Explanations, under_way: AbstractSet[Flight]) -> Explanations:
    """Return what explains each of ``strangers``, which the database has and the client does not hold.

    Only a flight that was under way when the stranger was first seen (it is not in ``known`` yet)
    explains it, and only for as long as it lasts.
    """
    return {
        stranger: known[stranger] & under_way
        if stranger in known
        else frozenset(flight for flight in under_way if flight.explains(stranger))
        for stranger in strangers
    }


class Flights:
    """All acquisitions under way, and the strangers that they explain."""

    def __init__(self) -> None:
        self.under_way: set[Flight] = set()
        """Any thread adds its own before it asks (a grant of that name, or of `ANY_NAME`, that is not held yet is no
        orphan), and discards it when what it was granted is adopted, or never will be.
        """
        self._explanations: Explanations = {}

    def may_adopt(self, grant: Grant) -> bool:
        """Return whether a transaction of the program's own is under way, which may have been granted it."""
        return any(flight.name == ANY_NAME and flight.explains(grant) for flight in self.under_way.copy())

    def orphans(self, strangers: Collection[Grant], under_way: AbstractSet[Flight]) -> list[Grant]:
        """Return those of all ``strangers`` that no flight explains.

        ``under_way`` must have been copied before the strangers were told from what is held: a flight
        that is not in it has adopted what it was granted, if anything, before it ended.
        """
        self._explanations = explanations(strangers, self._explanations, under_way)
        return [stranger for stranger, flights in self._explanations.items() if not flights]


_TICK = 0.5
"""Seconds between two looks at the clock while something is held; a longer gap is a stall."""


class Heartbeat:
    """Renews the leases of one client, and declares them lost.

    Call it in the library's own event loop; `state_of`, `rests`, `accounts_for`, `forget` and `age` from any thread.
    """

    def __init__(self, store: Store, timing: LeaseTiming, holder: str, clock: Clock, notify: events.Listener) -> None:
        self._store = store
        self._timing = timing
        self._holder = holder
        self._clock = clock
        self._notify = notify
        self.held = HeldGrants()
        self.flights = Flights()
        self._sweep_until = 0.0
        self._closed = ""
        self._next_beat = 0.0
        self._wanted = asyncio.Event()
        self._history = RenewalHistory(timing, clock())
        self._risks = Risks(self.held.__contains__)
        self._database_clock = DatabaseClock()
        self.quarantined = QuarantinedGrants(timing, clock)
        self._orphans = OrphanRelease(store, self.quarantined, notify)
        self._seen = clock()

    # What the client reports

    def end_flight(self, flight: Flight, sure: bool) -> None:
        """Record that this is over. Unless ``sure``, something may have been granted without an answer."""
        self.flights.under_way.discard(flight)
        if not sure:
            self.sweep()

    def adopt(self, grant: Grant, sent: float, when_over: Callable[[], object] = lambda: None) -> GrantState:
        """Renew ``grant`` from now on; it was asked for at ``sent``, by the client's clock."""
        state = self.state_of(grant, sent, when_over)
        if self._closed:
            self._lose(state, Loss(grant, LossKind.CLOSED, self._closed))
            return state
        self.held.add(state)
        self.rouse(sent)
        self._notify(events.Granted(grant))
        return state

    def state_of(self, grant: Grant, sent: float, when_over: Callable[[], object] = lambda: None) -> GrantState:
        """Return the state of a new ``grant``. Any thread may add it to what is `held`, and is then to `rouse` a
        heartbeat that `rests`.
        """
        return GrantState(grant, sent + self._timing.give_up, self._clock, self._notify, when_over)

    def rests(self) -> bool:
        """Return whether it renews nothing; if not, it renews also what was taken just before."""
        return not self._wanted.is_set()

    def rouse(self, sent: float) -> None:
        """Begin to beat, `renew_every` after ``sent``, unless that is done already."""
        if not self._wanted.is_set():
            self._next_beat = sent + self._timing.renew_every
            self._history.confirmed(sent)
            self._database_clock.forget()
            self._seen = self._clock()
            self._wanted.set()

    def forget(self, state: GrantState) -> None:
        """Renew this grant no longer; its holder has released it."""
        self.held.remove(state)
        state.finish()

    def lose_all(self, cause: str = CLOSED_CAUSE, *, also_ending: bool = False) -> None:
        """Lose all that is held (what is being released only if ``also_ending``) or adopted from now on."""
        self._closed = self._closed or cause
        for state in self.held.all():
            if also_ending or not state.ending:
                self._lose(state, Loss(state.grant, LossKind.CLOSED, self._closed))

    def leave(self, grant: Grant) -> None:
        """Record that the work under this lost grant has ended: if the database still has it as
        ours, or a mark that it was broken, that is released now.
        """
        self._orphans.left(grant)

    def accounts_for(self, grant: Grant) -> bool:
        """Return whether a grant is held, is lost but may still be worked under, or may yet be adopted."""
        return grant in self.held or grant in self.quarantined or self.flights.may_adopt(grant)

    @property
    def in_doubt(self) -> bool:
        """Whether the database may have grants under this client that nobody was told of."""
        return self._clock() < self._sweep_until

    def sweep(self) -> None:
        """Look for grants whose reply was lost, for as long as one can live."""
        self._sweep_until = self._clock() + self._timing.ttl
        if not self._wanted.is_set():
            self._seen = self._clock()
        self._wanted.set()

    def age(self) -> float:
        """Return the seconds since this loop was last seen at work; 0 while nothing is held."""
        return max(0.0, self._clock() - self._seen) if self._wanted.is_set() else 0.0

    # The loops

    async def run(self) -> None:
        """Beat and watch until this is cancelled."""
        try:
            async with anyio.create_task_group() as tasks:
                self._orphans.run_in(tasks)
                tasks.start_soon(self._forever, self._beat_when_due)
                tasks.start_soon(self._forever, self._watch_once)
        finally:
            self._orphans.run_in(None)

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._wanted.wait()
            try:
                await step()
            except BaseException as error:
                if isinstance(error, GeneratorExit) or (isinstance(error, asyncio.CancelledError) and is_cancelled()):
                    raise
                self._notify(events.HeartbeatFailed(f"{type(error).__name__}: {error}"))
                await asyncio.sleep(self._timing.retry_wait)

    async def _beat_when_due(self) -> None:
        wait = self._next_beat - self._clock()
        if wait > 0:
            await asyncio.sleep(wait)
        if not self.held and (self._closed or self._clock() >= self._sweep_until):
            self._wanted.clear()
            if self.held:  # it was taken before that, by a thread that saw no reason to rouse this
                self._wanted.set()
            return
        sent = self._clock()
        try:
            await self._beat(sent)
        except StoreUnavailable as error:
            self._history.failed(str(error))
            self._at_risk(self.held.all(), str(error))
            self._next_beat = self._clock() + self._timing.retry_wait
        else:
            self._next_beat = sent + self._timing.renew_every

    async def _beat(self, sent: float) -> None:
        expected = [state.grant for state in self.held.all()]
        renewal = await self._store.renew(self._holder, self._timing.ttl, expected, self._orphans.leaving)
        verdicts = judge(expected, renewal)
        self._history.confirmed(sent, verdicts.unknown)
        self._extend(verdicts, sent)
        # The transaction that ends a grant has its row locked, and puts nothing at risk.
        locked = [state for state in self.held.of(verdicts.unknown) if not state.ending]
        self._at_risk(locked, "another transaction has its row locked")
        for loss in verdicts.ended:
            self._end(loss)
        if (step := self._database_clock.step(renewal.database_time, sent, self._clock())) is not None:
            self._notify(events.ClockStepped(step))
        self._orphans.begin(self._orphans.leaving)  # again, where it failed
        under_way = self.flights.under_way.copy()  # before anything is taken for a stranger
        self._orphans.begin(self.flights.orphans(strangers(renewal, self._holder, self.held), under_way))

    def _extend(self, verdicts: Verdicts, sent: float) -> None:
        renewed = self.held.of(verdicts.renewed)
        if not renewed:
            return
        margin = min(state.remaining() for state in renewed)
        extended = [state for state in renewed if state.extend(sent + self._timing.give_up)]
        if extended:
            self._notify(events.Renewed(tuple(state.grant for state in extended), margin, self._clock() - sent))
        for state in extended:  # when all is done, as these may take long
            state.tell_watchers()

    def _end(self, loss: Loss) -> None:
        state = self.held.get(loss.grant)
        if state is not None and not state.ending:
            self._lose(state, loss)

    def _at_risk(self, states: Iterable[GrantState], cause: str) -> None:
        if (risk := self._risks.seen(list(states), cause, self._clock())) is not None:
            self._notify(risk)

    async def _watch_once(self) -> None:
        now = self._seen = self._clock()
        tick = min(_TICK, self._timing.give_up / 4)
        planned = min([now + tick, *(state.trusted_until for state in self.held.all())])
        await asyncio.sleep(planned - now)
        now = self._seen = self._clock()
        if now - planned > self._timing.give_up / 10:
            self._history.stalled(now - planned)
            self._notify(events.Stalled(now - planned))
        for state in self.held.all():
            if now >= state.trusted_until:
                self._lose(state, Loss(state.grant, *self._history.cause(state, now)))

    def _lose(self, state: GrantState, loss: Loss) -> None:
        self.held.remove(state)
        if state.over:
            return
        self.quarantined.add(state, loss.kind)
        self.sweep()  # if the database still has it as ours, it is released
        state.lose(loss)
