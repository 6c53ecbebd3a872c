"""The state of one grant as its holder knows it: until when it may be trusted, and whether it is
lost; and all that one client holds.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from . import events
from .clock import Clock
from .durations import Duration, format_duration, parse_duration
from .errors import LeaseLost
from .model import Grant, Loss
from .threads import SafeEvent, drop

T = TypeVar("T")


class GrantState:
    """The state of one grant, readable from every thread. The heartbeat extends or ends it, in the library's
    thread alone; the work asks. There is no lock, which a signal could leave locked.

    Trust ends at (monotonic time before the last confirmed renewal was sent) + give_up, and only ever moves on while it
    lasts: a reply that comes after it extends nothing, and a loss is final (rules 2 and 6).
    """

    def __init__(
        self,
        grant: Grant,
        trusted_until: float,
        clock: Clock,
        notify: events.Listener,
        when_over: Callable[[], object] = lambda: None,
    ) -> None:
        """``when_over`` is called when the grant is lost, and when its holder has released it; it may be called twice."""
        self.grant = grant
        self._notify = notify
        self.loss: Loss | None = None
        self.ending = False
        """Its holder is about to release it, or has, so it may be missing from the answer to a renewal."""
        self.is_being_ended = False
        """The library's thread, or a program in a transaction of its own, is about to."""
        self.over = False
        """Its holder has released it."""
        self.trusted_until = trusted_until
        """The end of trust, by `lease.clock.boottime`; only `extend` moves it."""
        self._unclaimed = [True]
        self._clock = clock
        self._events: dict[str, SafeEvent] = {}  # `lost`, once it is asked for: a dictionary makes it in one step
        self._watchers: list[Callable[[float], None]] = []
        self._on_lost: deque[Callable[[Loss], None]] = deque()
        self._when_over = when_over

    @property
    def lost(self) -> SafeEvent:
        """Is set once the grant is lost; made when it is first asked for."""
        event = self._events.get("lost") or self._events.setdefault("lost", SafeEvent())
        if self.loss is not None:  # asked last: who loses it meanwhile sets it, or this does
            event.set()
        return event

    def remaining(self) -> float:
        """Return for how many more seconds the grant may be trusted; 0 when it is lost or over."""
        if self.loss is not None or self.over:
            return 0.0
        return max(0.0, self.trusted_until - self._clock())

    def refuse_ended(self) -> None:
        """Raise `LeaseLost` if the grant is lost or released, whether the database knows it or not."""
        if self.loss is not None:
            raise lost_error(self.loss)
        if self.over:
            raise LeaseLost(f"lease {self.grant.name!r} (token {self.grant.token}) was released", cause="released")

    def ensure(self, at_least: Duration = 0) -> None:
        """Raise `LeaseLost` unless the grant may be trusted for ``at_least`` more seconds."""
        self.refuse_ended()
        name, token = self.grant.name, self.grant.token
        left, needed = self.remaining(), parse_duration(at_least)
        if left <= 0:
            raise LeaseLost(f"lease {name!r} (token {token}) is lost: no renewal was confirmed in time")
        if left < needed:
            raise LeaseLost(
                f"lease {name!r} (token {token}) may be trusted for {format_duration(left)} only, "
                f"not for {format_duration(needed)}"
            )

    def extend(self, trusted_until: float) -> bool:
        """Move the end of trust on; False when trust has ended already. `tell_watchers` of it after."""
        if self.loss is not None or self._clock() >= self.trusted_until:
            return False
        self.trusted_until = max(self.trusted_until, trusted_until)
        return True

    def tell_watchers(self) -> None:
        """Call all who watch with the end of trust."""
        self._call(list(self._watchers), self.trusted_until)

    def lose(self, loss: Loss) -> None:
        """Declare the grant lost, for good, unless it was lost or over before. Only when all know of it are
        the program's callbacks called, which may take long.
        """
        if self.loss is not None or self.over:
            return
        self.loss = loss
        for event in list(self._events.values()):
            event.set()
        self._when_over()
        self._notify(events.Lost(loss))
        self._call(self._taken(), loss)

    def finish(self) -> None:
        self.over = True
        self._when_over()

    def claim_release(self) -> bool:
        """Return whether this is the first caller; in one step, for any thread."""
        try:
            return self._unclaimed.pop()
        except IndexError:
            return False

    def watch(self, watcher: Callable[[float], None]) -> None:
        """Call ``watcher`` with the end of trust, now and (from the heartbeat's thread) whenever it
        moves; it must be quick.
        """
        self._watchers.append(watcher)
        watcher(self.trusted_until)

    def on_lost(self, callback: Callable[[Loss], None]) -> None:
        """Call ``callback`` when the grant is lost (from the heartbeat's thread), or now if it is."""
        self._on_lost.append(callback)
        if self.loss is not None:  # asked last: who loses it meanwhile calls it, or this does
            for one in self._taken():
                one(self.loss)

    def _taken(self) -> Iterator[Callable[[Loss], None]]:
        """Yield each of those that nobody has called: one step takes it."""
        with suppress(IndexError):
            while True:
                yield self._on_lost.popleft()

    @contextmanager
    def being_ended(self) -> Iterator[None]:
        """Mark the grant as being ended by its holder in this block: no answer to a renewal is a loss meanwhile."""
        self.ending = self.is_being_ended = True
        try:
            yield
        finally:
            self.is_being_ended = False
            self.ending = self.over

    def _call(self, callbacks: Iterable[Callable[[T], None]], value: T) -> None:
        """Call each of ``callbacks``; what one raises reaches neither the others nor the heartbeat (rule 8)."""
        for callback in callbacks:
            try:
                callback(value)
            except BaseException as error:  # noqa: BLE001 - it is told; a CancelledError would end the heartbeat
                self._notify(events.CallbackFailed(self.grant, error))


def lost_error(loss: Loss) -> LeaseLost:
    return LeaseLost(str(loss), cause=loss.cause)


class HeldGrants:
    """The states of what is held, by grant. They come and go from any thread; the heartbeat looks through copies.
    Each method does its work in one step, so that no thread sees another one's half done.
    """

    def __init__(self) -> None:
        self._states: dict[Grant, GrantState] = {}
        self._names: dict[str, GrantState] = {}

    def __bool__(self) -> bool:
        return bool(self._states)

    def __contains__(self, grant: object) -> bool:
        return grant in self._states

    def add(self, state: GrantState) -> None:
        self._names[state.grant.name] = state
        self._states[state.grant] = state

    def remove(self, state: GrantState) -> None:
        self._states.pop(state.grant, None)
        drop(self._names, state.grant.name, state)

    def get(self, grant: Grant) -> GrantState | None:
        return self._states.get(grant)

    def of(self, grants: Iterable[Grant]) -> list[GrantState]:
        """Return the states of those of ``grants`` that are held."""
        return [state for grant in grants if (state := self.get(grant)) is not None]

    def named(self, name: str) -> GrantState | None:
        """Return the state of what is held under ``name``, or None."""
        state = self._names.get(name)
        return state if state is not None and state.grant in self._states else None

    def all(self) -> list[GrantState]:
        """Return a copy: the states of all that is held now."""
        return list(self._states.values())
