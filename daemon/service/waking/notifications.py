"""The hearing on PostgreSQL: one connection for notices of the application and turns in queues of shared locks."""

from lease.database.address import describe
from lease.database.connections import Route
from lease.database.driver_errors import one_line
from lease.database.listening.listener import Listener
from lease.statements import CHANNEL
from lease.waiters import parse_release, seconds_until_turn

from ...store.notices import channel_of, parse_notice
from ...telemetry.facts import Note, Notify
from .hearing import ProvenHearing
from .idle_wait import Wakes


class Notifications(ProvenHearing, Listener):
    """What a replica of ``application`` hears as ``holder``."""

    def __init__(self, route: Route, application: str, holder: str, notify: Notify) -> None:
        ProvenHearing.__init__(self)
        Listener.__init__(self, route, [channel_of(application), CHANNEL])
        self._holder, self._notify = holder, notify
        self._has_worked = self._has_reported = False

    @property
    def works(self) -> bool:
        return self.is_working

    def begin(self, hearer: Wakes) -> None:
        self._hearer = hearer
        self._ensure()

    async def close(self) -> None:
        self._forget()
        await Listener.close(self)

    def _unheard(self) -> None:
        self._forget()
        self._say("its own notifications do not arrive, as behind a pooler in transaction mode")
        self.begin_anew()
        self._lost()

    def _is_needed(self) -> bool:
        return True

    def _hear(self, channel: str, payload: str) -> None:
        if self._hearer is None:
            return
        if channel == CHANNEL:
            _, turns = parse_release(payload)
            if (wait := seconds_until_turn(self._holder, turns)) is not None:
                self._hearer.rest.wake_in(wait)
            return
        self._heard()
        if (notice := parse_notice(payload)) is not None:
            self._hearer.hear(notice)

    def _begun(self) -> None:
        self._heard()
        self._has_worked = True
        if self._has_reported:
            self._has_reported = False
            self._notify(Note(f"now listening for notifications in {describe(self._route.url)}"))
        if self._hearer is not None:
            self._hearer.look_again()

    def _lost(self) -> None:
        self._forget()
        if self._has_worked and self._hearer is not None:  # once, and then as often as `poll` says
            self._has_worked = False
            self._hearer.look_again()

    def _report(self, cause: str) -> None:
        self._has_reported = True
        where, why = describe(self._route.url), one_line(cause, self._route.url)
        self._notify(Note(f"cannot listen for notifications in {where}, so this replica polls (see `poll`): {why}"))
