"""The block in which a program has a replica inside it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic
from typing import Any

import anyio

from ..definitions.sources.schedule_set import ScheduleSet, hash_of_code
from ..definitions.sources.whereabouts import application_here
from ..errors import DaemonError
from ..text import suggestion
from .environment import SettingsError
from .outside.hangups import at_a_terminal
from .replica_thread import ReplicaThread
from .settings import Settings, read_settings

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


_CHILD = "daemon.jobs.child_main"


class CannotEmbed(DaemonError):
    """No replica can be part of this program, or not here."""


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
    if main is not None and main.name == _CHILD:
        raise CannotEmbed(
            "this is a child process of a job; it imports the module of its Schedules, and that module starts a "
            'replica: put the code that starts your program under: if __name__ == "__main__"'
        )
