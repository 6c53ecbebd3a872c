"""`leased run`: a replica, or several under a supervisor."""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import structlog
import typer

from lease.errors import LeaseError

from ...definitions.application import Application
from ...definitions.sources.load import load
from ...errors import DaemonError
from ...operations.requester import requester
from ...scheduling.bring import take_on_top
from ...scheduling.sync import plan_outgoing
from ...service.environment import REPLICA_INDEX
from ...service.service import serve
from ...service.settings import Settings, flag_of, read_settings
from ...service.supervisor import Supervisor
from ...store.views import summary
from ...telemetry.fact_log import log_fact
from ...telemetry.logs import LOGGER, set_up_logs
from ...telemetry.notifier import Notifier
from ...web.address import WebAddress
from ..ask import ask_url, prepare
from ..confirm import confirm_superseding
from ..failures import INTERRUPTED, Misused
from ..options import File
from ..progress import PlainView, ProgressView
from ..run_summary import print_summary
from ..screen import screen
from ..setting_flags import with_setting_flags
from .acting.trigger import trigger_all

MOST_SUMMARIES = 20
_LOG_PATIENCE = 2.0
"""Seconds that a replica waits at its end for a log that takes nothing."""


@with_setting_flags
def run(
    flags: dict[str, Any],
    *,
    file: File,
    replicas: Annotated[
        int, typer.Option(min=1, max=1_000, metavar="N", help="How many replica processes to run.")
    ] = 1,
    now: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Trigger this schedule after the sync; can be repeated.")
    ] = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Exit when nothing is due, running or waiting.")
    ] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Make these definitions current, also where newer ones are at work.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Supersede what living replicas run without asking, at a terminal too.")
    ] = False,
    no_web: Annotated[bool, typer.Option("--no-web", help="Do not serve HTTP.")] = False,
) -> int:
    """Run the schedules in FILE: sync, clean up after dead replicas, then work until SIGTERM."""
    if no_web:
        if flags["web"] is not None:
            raise Misused("--web and --no-web are both given; leave one of them out")
        flags["web"] = "off"
    application = load(file)
    for name in now or ():
        application.schedule(name)
    settings = read_settings(flags, application.settings)
    application = application.revised(settings.revision)
    set_up_logs(settings.log_format, settings.log_level)
    confirm_superseding(application, settings, take_over=take_over, yes=yes)
    prepare(settings.database)
    if replicas == 1:
        return _one(application, settings, tuple(now or ()), until_idle=until_idle, take_over=take_over)
    _bring_first(application, settings.database, now or (), take_over=take_over)
    command = _replica_command(file, flags, settings.web, until_idle=until_idle)
    report = structlog.stdlib.get_logger(LOGGER).info
    return asyncio.run(Supervisor(command, replicas, until_idle=until_idle, report=report).run())


def _bring_first(application: Application, url: str, now: Sequence[str], *, take_over: bool) -> None:
    """Do what is asked of the whole rather than of each replica: put the definitions on top, trigger ``now``."""
    if take_over:
        while ask_url(url, lambda c: plan_outgoing(c, application), write=True):
            pass
        ask_url(url, lambda c: take_on_top(c, application, by=requester()), write=True)
    if now:
        trigger_all(application, url, now)


def _one(
    application: Application, settings: Settings, now: tuple[str, ...], *, until_idle: bool, take_over: bool
) -> int:
    web = settings.web
    if web is not None and not web.asked:
        web = web.beside(_index())
    if not until_idle:
        work = partial(serve, application, settings, now=now, until_idle=False, web=web, take_over=take_over)
        return _reported(Notifier(log_fact), work, _LOG_PATIENCE)
    console = screen()
    with (ProgressView if console.is_terminal else PlainView)(console) as view:
        work = partial(serve, application, settings, now=now, until_idle=True, web=web, take_over=take_over)
        status = _reported(Notifier(view), work, None)
    _summarize(settings, view)
    return status


def _reported(facts: Notifier, work: Callable[[Notifier], int], patience: float | None) -> int:
    """Do the work and return its exit status once its facts have been delivered.

    If a subscriber takes none for ``patience`` seconds, because it is stuck in a write to a pipe that
    is not read, end the process here: the interpreter would abort at its normal exit.
    """
    try:
        status = work(facts)
    except BaseException:
        facts.close(_LOG_PATIENCE)
        raise
    try:
        delivered = facts.close(patience)
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    if not delivered:
        os._exit(status)
    return status


def _summarize(settings: Settings, view: PlainView) -> None:
    over = [run_id for run_id, state in view.ended.items() if state != "pending"][-MOST_SUMMARIES:]
    if not over:
        return
    try:
        found = ask_url(settings.database, lambda connection: [summary(connection, run_id) for run_id in over])
    except (DaemonError, LeaseError) as error:
        structlog.stdlib.get_logger(LOGGER).warning("the summary cannot be read", error=str(error))
        return
    console = screen()
    for one in found:
        print_summary(console, one)


def _index() -> int:
    text = os.environ.pop(REPLICA_INDEX, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _replica_command(
    file: str, flags: Mapping[str, Any], web: WebAddress | None, *, until_idle: bool
) -> Callable[[int], Sequence[str]]:
    """Return a function that gives the command of each replica: this one without --replicas, and
    with its own web address.
    """
    given = [f"{flag_of(name)}={value}" for name, value in flags.items() if value is not None and name != "web"]
    idle = ["--until-idle"] if until_idle else []

    def command(index: int) -> Sequence[str]:
        own = [] if web is None or not web.asked else [f"--web={web.beside(index)}"]
        off = ["--no-web"] if web is None else []
        return [sys.executable, "-P", "-m", "leased", "run", "--yes", *given, *idle, *own, *off, "--", file]

    return command
