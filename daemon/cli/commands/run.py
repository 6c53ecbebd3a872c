"""`leased run`: a replica, or several under a supervisor."""

import asyncio
import inspect
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Annotated, Any, Literal, get_args, get_origin

import structlog
import typer
from pydantic.fields import FieldInfo
from rich.console import Console
from sqlalchemy import Connection

from lease.errors import LeaseError

from ...definitions.application import Application
from ...definitions.sources.schedule_set import hash_of_code
from ...errors import DaemonError, SchemaNotReady, WouldSupersede
from ...operations.foresee import Foreseen, foresee
from ...recovery.deaths import neighbours, proven_dead
from ...service.environment import EARLIER_HOLDER
from ...service.outside.descriptors import raise_limit, refuse_more_than_fit
from ...service.outside.file_check import CheckedFile, CommandLine, check_file, handed_over
from ...service.outside.outside import Outside, at_a_terminal, hold_back
from ...service.service import Service
from ...service.settings import Flag, Settings, flag_of, read_settings
from ...store import migrations
from ...store.statements.schedule import database_time
from ...store.views.history import read_run
from ...telemetry.fact_log import log_fact, log_fact_or_output
from ...telemetry.logs import LOGGER, flush_logs, set_up_logs
from ...telemetry.notifier import Notifier, notifier
from ..ask import ask_url
from ..bring import bring_first
from ..failures import FAILED, INTERRUPTED, Misused, NoDatabase, report
from ..load_file import keep_what_is_loaded, load_file
from ..options import File
from ..progress import LiveView, PlainView, ProgressView, print_summary
from ..screen import Times, screen


def with_setting_flags(command: Callable[..., int]) -> Callable[..., int]:
    """Return a command with a flag for each setting that has one.

    ``command`` receives them as its first argument: a dict by the name of the setting.
    """
    flags = {name: flag for name in Settings.model_fields if (flag := flag_of(name)) is not None}

    @wraps(command)
    def called(**given: Any) -> int:
        return command({name: given.pop(name) for name in flags}, **given)

    _, *own = inspect.signature(command).parameters.values()
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_option(flag, Settings.model_fields[name])
        )
        for name, flag in flags.items()
    ]
    called.__signature__ = inspect.Signature([*own, *added], return_annotation=int)  # type: ignore[attr-defined]
    return called


def _option(flag: str, field: FieldInfo) -> Any:
    meaning = " ".join((field.description or "").replace("`", "").split())
    types = (field.annotation, *get_args(field.annotation))
    if own := [mark.value for mark in field.metadata if isinstance(mark, Flag) and mark.value]:
        value = own[0]
    elif get_origin(field.annotation) is Literal:
        value = "|".join(get_args(field.annotation))
    elif any(kind is float or (get_origin(kind) is Annotated and get_args(kind)[0] is float) for kind in types):
        value = "DURATION"
    else:
        value = "N" if int in types else "TEXT"
    option = typer.Option(flag, metavar=value, help=meaning)
    return Annotated[str | None, option]  # a string, so that the settings parse it and report what is wrong


def look_first(application: Application, settings: Settings, *, guarded: bool) -> None:
    """Raise `WouldSupersede` if ``guarded`` definitions would supersede what living replicas run; otherwise say so in the
    log. Raises `RevisionTaken`, too. The transaction that writes them checks again.
    """

    def look(connection: Connection) -> Foreseen:
        dead = proven_dead(neighbours(connection))
        return foresee(connection, application, by="replica", takeover_after=settings.takeover_after, dead=dead)

    try:
        found = ask_url(settings.database, look)
    except (NoDatabase, SchemaNotReady):  # there are no tables yet
        return
    if found.superseding is None or found.refusal is not None:  # it is refused with its own sentence
        return
    if guarded:
        raise WouldSupersede(found.superseding.refusal())
    said = f'application "{application.name}": {found.superseding.others}; these definitions supersede theirs'
    structlog.stdlib.get_logger(LOGGER).info(said)


class LastingConsole(Console):
    """Writes until its reader has gone, and nothing from then on; a `Console` would end the program.

    It leaves the cursor alone: a process that must end at once could not show it again.
    """

    def show_cursor(self, show: bool = True) -> bool:
        """Do nothing."""
        return not show

    def on_broken_pipe(self) -> None:
        """Send what follows nowhere, even what Python still holds back for its exit."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


MOST_SUMMARIES = 20
_LOG_PATIENCE = 2.0
"""Seconds that a replica waits at its end for a log that takes nothing."""


_TAKE_OVER_HELP = "Make these definitions active, even if replicas with other or newer ones are running."
_YES_HELP = "Start as if without a terminal: for a script or a container that has one."


@with_setting_flags
def run(
    flags: dict[str, Any],
    *,
    file: File,
    replicas: Annotated[
        int, typer.Option(min=1, max=1_000, metavar="N", help="Number of replica processes to run.")
    ] = 1,
    now: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Trigger this schedule after the sync; repeatable.")
    ] = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Exit when nothing is due, running or waiting.")
    ] = False,
    take_over: Annotated[bool, typer.Option("--take-over", help=_TAKE_OVER_HELP)] = False,
    yes: Annotated[bool, typer.Option("--yes", help=_YES_HELP)] = False,
    no_web: Annotated[bool, typer.Option("--no-web", help="Do not serve HTTP.")] = False,
) -> int:
    """Run the schedules in FILE until SIGTERM: sync them, recover the runs of dead replicas, then run what is due."""
    if no_web:
        if flags["web"] is not None:
            raise Misused("--web and --no-web contradict each other; leave one out")
        flags["web"] = "off"
    outside = Outside.found(partial(report, kind="settings", as_json=False, what="warning"))
    raise_limit(os.environ)
    line = CommandLine.called(file, flags, until_idle=until_idle)
    application, settings = _read(file, flags, outside, now or ())
    # In JSON, and where several write to one log, lines name the replica; what starts several is none itself.
    is_named = replicas == 1 and (settings.log_format != "text" or outside.link.is_supervised)
    set_up_logs(settings.log_format, settings.log_level, f"{socket.gethostname()}:{os.getpid()}" if is_named else None)
    log = structlog.stdlib.get_logger(LOGGER)
    for sentence in outside.about_inherited():
        log.info(sentence)
    guarded = at_a_terminal() and not (yes or take_over)
    if not yes:
        look_first(application, settings, guarded=guarded)
    migrations.prepare(settings.database)
    outside.checked = CheckedFile.of(application, settings)
    outside.check = lambda: check_file(line, outside.checked)
    if replicas == 1:
        return _one(application, settings, tuple(now or ()), line, outside, take_over=take_over, guarded=guarded)
    from ...service.supervision.supervisor import Supervisor  # noqa: PLC0415 - with a web server, which takes memory
    from ...service.web_service import door_to  # noqa: PLC0415 - so does this

    for warning in bring_first(application, settings.database, now or (), take_over=take_over, guarded=guarded):
        log.warning(warning)
    door = None if settings.web is None else door_to(settings.web.beside(replicas), settings)
    supervisor = Supervisor(line, replicas, outside.checked, outside, report=log.info, warn=log.warning, door=door)
    return asyncio.run(supervisor.run())


def _read(file: str, flags: dict[str, Any], outside: Outside, now: Sequence[str]) -> tuple[Application, Settings]:
    """Return what FILE defines and the settings; ``now`` must be schedules of it."""
    application = load_file(file, flags)
    for name in now:
        application.schedule(name)
    checked = outside.link.settings
    if checked is None:
        settings = read_settings(flags, application.settings, source=file)
    else:
        settings = handed_over(checked, os.getppid())
    revised = application.revised(settings.revision)
    revised = replace(revised, release=settings.release or hash_of_code(revised))
    outside.link.check(revised, os.getppid())
    refuse_more_than_fit(application, settings.concurrency)
    return revised, settings


def _one(
    application: Application,
    settings: Settings,
    now: tuple[str, ...],
    line: CommandLine,
    outside: Outside,
    *,
    take_over: bool,
    guarded: bool,
) -> int:
    web = settings.web.beside(outside.link.index) if settings.web is not None else None
    idle, own = line.until_idle, application.on_fact
    begun = partial(Service, take_over=take_over, guarded=guarded, outside=outside)
    work = partial(begun, application, settings, now=now, until_idle=idle, web=web)
    if not idle:
        keep_what_is_loaded()
        if _is_watched(settings, outside):
            with LiveView(screen(LastingConsole, stderr=True)) as live:
                status = _reported(notifier(live, own), work, _LOG_PATIENCE, outside)
        else:
            log = log_fact_or_output if settings.job_output == "log" else log_fact
            status = _reported(notifier(log, own), work, _LOG_PATIENCE, outside)
        return status if outside.to_start_anew is None else _start_anew(line, outside, outside.to_start_anew)
    console = screen(LastingConsole)
    with (ProgressView if console.is_terminal else PlainView)(console) as view:
        status = _reported(notifier(view, own), work, None, outside)
    _summarize(settings, view, console)
    return status


def _is_watched(settings: Settings, outside: Outside) -> bool:
    """Return whether this replica is alone at a terminal, and no setting says what its log looks like."""
    said = settings.model_fields_set & {"log_format", "log_level", "job_output"}
    is_live = sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}
    return is_live and not said and not outside.link.is_supervised


def _start_anew(line: CommandLine, outside: Outside, holder: str) -> int:
    """Restart this process with its command line; raises `DaemonError` if that fails."""
    hold_back()
    flush_logs()
    outside.manager.starting_anew()
    try:
        line.start_anew({**outside.manager.variables, EARLIER_HOLDER: holder})
    except OSError as error:
        raise DaemonError(f"this process cannot restart itself: {error.strerror or error}; start it again") from None
    return FAILED


def _reported(facts: Notifier, work: Callable[[Notifier], Service], patience: float | None, outside: Outside) -> int:
    """Do the work and return its exit status once its facts have been delivered.

    If a subscriber takes none for ``patience`` seconds, because it is stuck in a write to a pipe that
    is not read, end the process here: the interpreter would abort at its normal exit.
    """
    try:
        status = work(facts).run()
    except BaseException:
        facts.close(_LOG_PATIENCE)
        raise
    try:
        delivered = facts.close(patience)
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    if not delivered and outside.to_start_anew is None:
        os._exit(status)
    return status


def _summarize(settings: Settings, view: PlainView, console: Console) -> None:
    over = [run_id for run_id, state in view.ended.items() if state != "pending"][-MOST_SUMMARIES:]
    if not over:
        return
    try:
        now, found = ask_url(
            settings.database,
            lambda connection: (database_time(connection), [read_run(connection, run_id) for run_id in over]),
        )
    except (DaemonError, LeaseError) as error:
        structlog.stdlib.get_logger(LOGGER).warning("the summary cannot be read", error=str(error))
        return
    for one in found:
        print_summary(console, one, Times.of(now, utc=False))
