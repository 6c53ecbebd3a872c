"""The answer of a lone replica to SIGHUP: it checks FILE, drains, and starts anew in its place."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from ...telemetry.facts import Note, Notify
from .file_check import WrongFile
from .outside import Outside
from .stop_requests import StopRequests


class Reload:
    """Turns SIGHUP into one of: a note that says why nothing happens, a start anew, an end."""

    def __init__(self, outside: Outside, requests: StopRequests, notify: Notify, *, until_idle: bool) -> None:
        self._outside = outside
        self._manager = outside.manager
        self._requests = requests
        self._notify = notify
        self._until_idle = until_idle
        self._asked = False
        self._has_joined = False
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle SIGHUP during the block; until `joined` it is only kept."""
        if self._outside.hangups is None:
            yield
            return
        with self._outside.hangups.heard_by(self._hung_up):
            try:
                yield
            finally:
                if self._task is not None:
                    self._task.cancel()

    def joined(self) -> None:
        """Note that the replica has started: it may drain now."""
        self._has_joined = True
        if self._asked and not self._requests.stopping:
            self._begin()

    def _hung_up(self, terminal_closed: bool) -> None:
        if terminal_closed:
            self._requests.on_signal(signal.SIGHUP)
        elif self._outside.link.is_supervised:
            self._say("ignored; send it to the supervisor, which replaces its replicas one by one")
        elif self._requests.stopping:
            self._say("ignored because this replica is already stopping")
        elif self._until_idle:
            self._say("ignored because with --until-idle the replica exits when it is idle")
        else:
            self._asked = True
            if self._has_joined:
                self._begin()

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._reload())

    async def _reload(self) -> None:
        """Check FILE until no further SIGHUP came meanwhile; then drain, or say what is wrong."""
        check = self._outside.check
        while self._asked and check is not None:
            self._asked = False
            self._manager.reloading("checking FILE")
            checked = await check()
            if self._asked or self._requests.stopping:
                continue
            if isinstance(checked, WrongFile):
                for problem in (f"this replica continues unchanged: {checked.problem}", *checked.more):
                    self._say(problem, is_warning=True)
                self._manager.ready("FILE was not reloaded because it has an error")
            else:
                for warning in checked.warnings:
                    self._say(warning, is_warning=True)
                self._say("FILE is valid; draining, then restarting with it")
                self._requests.start_anew()
        self._task = None

    def _say(self, what: str, *, is_warning: bool = False) -> None:
        self._notify(Note(f"SIGHUP: {what}", is_warning))
