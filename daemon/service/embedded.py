"""A replica inside a program: the block in which there is one, and its thread, with an event loop of its own: whatever
blocks the program's loop holds up nothing there (rule 8).
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any

import anyio

from ..definitions.application import Application
from ..definitions.sources.load import application_here
from ..definitions.sources.schedule_set import ScheduleSet, hash_of_code
from ..errors import DaemonError
from ..jobs.task_thread import TaskThread
from ..own_thread import in_own_thread, soon
from ..store import migrations
from ..telemetry.fact_log import log_fact, log_fact_or_output
from ..telemetry.facts import Note, ReplicaEnded
from ..telemetry.notifier import notifier
from ..text import suggestion
from .environment import SettingsError
from .outside.outside import at_a_terminal
from .parts import make_fit_for_jobs, opened, surrounded
from .replica import Readiness, Replica
from .settings import STOP_MARGIN, Settings, read_settings

NOT_EMBEDDED: Mapping[str, str] = {
    "database_url": "the URL comes first, without a name: schedules.replica(url)",
    "database_url_file": "read the file in your program, and give the URL that it holds",
    "web": "an embedded replica serves no HTTP; answer probes in your program with `is_ready` and `problems()`",
    **dict.fromkeys(
        ("web_token", "web_read_token", "web_hosts", "web_path", "web_user_header", "web_proxies"),
        "an embedded replica serves no HTTP; protect what your program serves",
    ),
    "log_format": "an embedded replica logs as your program does; set that up with `logging`",
    "log_level": 'an embedded replica logs as your program does; use logging.getLogger("leased").setLevel(…)',
}
"""The settings of `leased run` that are the program's own affair here, and what to do instead."""


def embedded_settings(url: str, given: Mapping[str, Any]) -> Settings:
    """Return the settings; raises `SettingsError`."""
    if not isinstance(url, str):
        raise SettingsError(f"the URL of the database is {url!r}; give a string, as in sqlite:///leased.db")
    known = [name for name in Settings.model_fields if name not in NOT_EMBEDDED]
    for name in given:
        if name in NOT_EMBEDDED:
            raise SettingsError(f"{name}: {NOT_EMBEDDED[name]}")
        if name not in known:
            raise SettingsError(f"{name}: there is no such setting; {suggestion(name, [*known, 'take_over'])}")
    named = {"database_url": "the URL of the database"}
    return read_settings({**given, "database_url": url, "web": "off"}, called=lambda name: named.get(name, name))


class CannotEmbed(DaemonError):
    """No replica can be part of this program, or not here."""


class ReplicaThread:
    """A whole replica, from the preparation of the tables to its end. It takes nothing that is the program's: no signal,
    no exit of the process, no logging, no variable of the environment.
    """

    def __init__(self, application: Application, settings: Settings, *, take_over: bool, guarded: bool = False) -> None:
        self.begun: Future[None] = Future()
        """Done when it is ready, with the error if it could not start, and cancelled if it was told to end before."""
        self.ended: Future[None] = Future()
        """Done when nothing is left of it, with the error if one has ended it after it had begun."""
        self.failure: str | None = None
        self.label = ""
        self._application, self._settings = application, settings
        self._take_over, self._guarded = take_over, guarded
        self._environment = dict(os.environ)
        make_fit_for_jobs(self._environment, settings)
        log = log_fact_or_output if settings.job_output == "log" else log_fact
        self._facts = notifier(log, application.on_fact)
        self._tasks = TaskThread(self._facts.notify)
        self._loop = asyncio.SelectorEventLoop()  # psycopg refuses the kind that Windows makes by default
        self._main: asyncio.Task[None] | None = None
        self._left = asyncio.Event()
        self._replica: Replica | None = None
        self._readiness: Readiness | None = None
        self._thread = threading.Thread(target=self._run, name="leased-replica", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system has no thread left
            self._loop.close()
            self._facts.close()
            raise

    # For any thread

    def leave(self) -> None:
        """Claim no more runs, and end when those at work have ended; when told again, stop them at once."""
        soon(self._loop, self._leave)

    def join(self) -> None:
        """Wait for the thread, which does nothing more once it is `ended`."""
        self._thread.join()

    @property
    def is_ready(self) -> bool:
        return not self.problems()

    def problems(self) -> dict[str, str]:
        readiness = self._readiness
        failed = {} if self.failure is None else {"failure": self.failure}
        if readiness is None or self.ended.done():
            return {"ended": "the replica has ended", **failed}
        found = readiness.problems() | failed
        if not failed and not (beat := readiness.loops()["replica"]).alive:
            found["replica"] = f"the loop of the replica has not run for {beat.age:.0f}s"
        return found

    def warn(self, said: str) -> None:
        self._facts.notify(Note(said, is_warning=True))

    # In its own

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._live())
        except BaseException as raised:  # noqa: BLE001 - the program gets it
            error = raised
        if error is not None and self.begun.done() and not self._left.is_set():
            self._fail(f"the replica has ended: {error!r}")  # the program gets the error only with the end of the block
        self._facts.close()
        if self.begun.done():
            self.ended.set_exception(error) if error is not None else self.ended.set_result(None)
            return
        if error is None or isinstance(error, asyncio.CancelledError):
            self.begun.cancel()
        else:
            self.begun.set_exception(error)
        self.ended.set_result(None)

    def _leave(self) -> None:
        if self._replica is None:
            if self._main is not None:
                self._main.cancel()
        elif self._left.is_set():
            self._replica.stop_at_once()
        else:
            self._replica.drain()
        self._left.set()

    async def _live(self) -> None:
        """Live from start to end, as `leased run` does."""
        self._main, started = asyncio.current_task(), monotonic()
        if self._left.is_set():
            return
        # Nobody has to wait for its thread: it may be held up for a minute by others, and the program be told to end.
        await in_own_thread(partial(migrations.prepare, self._settings.database), "leased-prepare")
        parts = (self._application, self._settings, self._tasks, self._facts.notify, self._environment)
        async with opened(*parts) as replica, surrounded(replica, self._settings):
            await replica.clean_up()
            await replica.join(take_over=self._take_over, guarded=self._guarded)
            self.label = replica.context.client.label
            self._replica, self._readiness = replica, Readiness(replica)
            await self._work(replica)
        self._facts.notify(ReplicaEnded(self.label, monotonic() - started, replica.runs.tally))

    async def _work(self, replica: Replica) -> None:
        """Run the loop. If there is work that cannot be ended, say so, end the others, and wait for the end of the
        block: the process is not ours to end (rule 9).
        """
        telling = asyncio.create_task(self._await_failure(replica))
        running = asyncio.create_task(replica.run())
        await asyncio.sleep(0)  # it runs
        self.begun.set_result(None)
        try:
            await running
        finally:
            telling.cancel()
        if replica.runs.failure is not None:
            self._fail(replica.runs.failure)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.timing.kill_time + STOP_MARGIN):
                    while replica.runs:  # until they have been stopped and handed back
                        await replica.runs.one_ended()
            await self._left.wait()

    async def _await_failure(self, replica: Replica) -> None:
        await replica.runs.failed.wait()
        replica.drain()
        if replica.runs.failure is not None:
            self._fail(replica.runs.failure)

    def _fail(self, failure: object) -> None:
        if self.failure is None:
            self.failure = (
                f"{failure}; this replica claims no more runs, but does not stop the program that it is part of: "
                "restart that program"
            )
            self.warn(self.failure)


@asynccontextmanager
async def embedded(schedules: ScheduleSet, url: str, given: Mapping[str, Any]) -> AsyncIterator[ReplicaThread]:
    """Run a replica of these `Schedules` during the block; see `Schedules.replica`."""
    _refuse_where_none_can_be()
    take_over, others = bool(given.get("take_over")), {name: given[name] for name in given if name != "take_over"}
    settings = embedded_settings(url, others)
    application = application_here(schedules).revised(settings.revision)
    application = replace(application, release=settings.release or hash_of_code(application))
    thread = ReplicaThread(application, settings, take_over=take_over, guarded=at_a_terminal())
    try:
        await _done(thread.begun, cut=thread.leave)
        yield thread
    finally:
        thread.leave()
        with anyio.CancelScope(shield=True):
            if await _done(thread.ended, cut=thread.leave, within=settings.longest_stop):
                thread.join()
            else:  # it closes in the background
                thread.warn(
                    f"stopping took longer than {settings.longest_stop:g}s: the program continues without this replica; "
                    "its leases expire when the program ends"
                )


async def _done(future: Future[None], *, cut: Callable[[], object], within: float | None = None) -> bool:
    """Wait until it is done, and return whether it is ``within`` seconds. A cancellation of the caller is passed on to
    ``cut``, and raised when it is done.
    """
    deadline = None if within is None else monotonic() + within
    waited, cancelled = asyncio.wrap_future(future), None
    while not waited.done() and (deadline is None or monotonic() < deadline):
        try:
            with anyio.CancelScope(shield=cancelled is not None):  # one of anyio comes again and again
                await asyncio.wait({waited}, timeout=None if deadline is None else deadline - monotonic())
        except asyncio.CancelledError as error:
            cancelled = error
            cut()
    if cancelled is not None:
        raise cancelled
    if waited.done():
        waited.result()
    return waited.done()


def _refuse_where_none_can_be() -> None:
    if sys.platform == "win32":
        raise CannotEmbed("the daemon needs Linux or macOS; on Windows only the lock library works")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise CannotEmbed(
            "schedules.replica() needs a running asyncio event loop, and there is none here (trio has its own): "
            "run the program with asyncio, or its schedules with `leased run`"
        ) from None
    main = getattr(sys.modules.get("__main__"), "__spec__", None)
    if main is not None and main.name == "daemon.jobs.child_main":
        raise CannotEmbed(
            "this is a child process of a job; it imports the module of its Schedules, and that module starts a "
            'replica: put the code that starts your program under: if __name__ == "__main__"'
        )
