"""The entry point of a function child: `python -P -m daemon.jobs.child_main` (rule 20).

Its brief is in the environment. It loads FILE again, or is forked from a template that has loaded
it; finds the job by schedule and name, and calls its function. Exit status: that of the function's
own SystemExit; 1 after an error, which is sent on the report pipe; otherwise 0.
"""

import gc
import inspect
import io
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any, NoReturn

from ..definitions.application import Application
from ..definitions.schedule import Schedule
from ..definitions.sources.load import load, stamp_of
from ..errors import DaemonError, DefinitionError
from .brief import BRIEF_VARIABLE, TEMPLATE_VARIABLE, Brief, received
from .private import end_threads_and_exits
from .processes.keeper import boottime, trusted_until
from .processes.process_tree import MARK, die_with, show_title
from .reports import Failure, FileChanged, ReportPipe, answer_signal
from .run import LOGGER, AsyncRun, Run

_REMEDY = (
    "FILE has changed since the replica loaded it, so the job was not started and no attempt was used: send "
    "SIGHUP to `leased run` to load FILE as it is now"
)
_LOOK = 0.05
"""Seconds between two looks whether trust has been extended, or has ended."""
_PATIENCE = 10.0
"""Seconds that a keeper has to end a process without trust."""
_OURS = (__name__, "asyncio.runners", "asyncio.base_events")
"""The modules through which a job is called."""


class OtherDefinitions(DaemonError):
    """FILE is not what the replica has loaded."""


def main() -> int:
    """Make the attempt that the brief describes; return the exit status."""
    signal.signal(signal.SIGTERM, _exit_on_signal)
    sys.unraisablehook = partial(_exit_later, sys.unraisablehook)
    # From its keeper (`Keeper.wake_child`): what interrupts a system call lets Python handle the signals that came before.
    signal.signal(signal.SIGWINCH, lambda *_: None)
    _set_up_output()
    application = None
    if TEMPLATE_VARIABLE in os.environ:  # FILE is loaded once for many children, and what it defines is here in each
        from .templates.loaded import loaded  # noqa: PLC0415 - a child that starts anew does without it

        application = loaded()
    die_with(int(os.environ[MARK].partition(".")[0]))  # a safety net below the keeper itself
    brief = Brief.from_json(os.environ.pop(BRIEF_VARIABLE), received(os.environ))
    show_title(
        f"leased: run {brief.run_id} of {brief.schedule}, job {brief.job}, attempt {brief.attempt}",
        f"run {brief.run_id}",
    )
    descriptor, _, page = os.environ.pop("LEASED_TRUST").partition(":")
    trust, report = int(descriptor), int(os.environ.pop("LEASED_REPORT_FD"))
    for inherited in (trust, report):
        os.set_inheritable(inherited, False)
    pipe = ReportPipe(report)
    answer_signal(report)
    try:
        function = find(brief, application)
    except DaemonError as error:
        pipe.send(FileChanged(str(error)) if isinstance(error, OtherDefinitions) else Failure(str(error)))
        return 1
    end_of_trust = partial(trusted_until, trust, *map(int, page.split(":")))
    kind = AsyncRun if inspect.iscoroutinefunction(function) else Run
    run = kind(brief, end_of_trust, pipe.send)
    _wait_while_late(end_of_trust)
    try:
        with brief.in_trace():
            if isinstance(run, AsyncRun):
                import asyncio  # noqa: PLC0415 - a function that is not async starts without it

                asyncio.run(function(run))
            else:
                function(run)
    except Exception as error:  # noqa: BLE001 (anything that a job raises is its failure)
        pipe.send(Failure(_traceback(error)))
        return 1
    return 0


def _wait_while_late(trusted_until: Callable[[], float]) -> None:
    """Call nothing once trust has ended, as where the machine was suspended since this process began (rule 2). Its
    keeper, which looks now and then, is about to end it, and says why.
    """
    waits_until = boottime() + _PATIENCE
    while (now := boottime()) >= trusted_until():
        if now >= waits_until:
            sys.exit(1)
        time.sleep(_LOOK)


def find(brief: Brief, application: Application | None = None) -> Callable[..., Any]:
    """Return the job's function from what FILE defines; load it if that has not been done.

    Raises `OtherDefinitions` if FILE has changed since the replica loaded it, so that the job is
    another one or can't be loaded, and `DaemonError` if it can't be loaded although it is as it was.
    """
    try:
        schedules = (application or load(brief.source)).schedules
    except DefinitionError as error:
        if stamp_of(brief.file) == brief.stamp:
            raise
        raise OtherDefinitions(f"{error}; {_REMEDY}") from None
    for schedule in schedules:
        if schedule.name == brief.schedule and digest_of(schedule.keyed(brief.row or schedule.name)) == brief.digest:
            for job in schedule.jobs:
                if job.name == brief.job and job.function is not None:
                    return job.function
    raise OtherDefinitions(f'{brief.source}: "{brief.schedule}" has changed; {_REMEDY}')


def digest_of(schedule: Schedule) -> str:
    """Return its `run_digest`. A signal in a serializer of ours, which pydantic wraps, is raised as it is."""
    try:
        return schedule.run_digest()
    except Exception as error:
        if isinstance(error.__cause__, SystemExit):
            raise error.__cause__ from None
        raise


def _traceback(error: Exception) -> str:
    """Return the traceback, starting at the job's own first frame."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__") in _OURS:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def _exit_on_signal(number: int, _frame: FrameType | None) -> NoReturn:
    """Exit as SIGTERM asks, but through the job's own `finally` and `with`."""
    sys.exit(128 + number)


def _exit_later(before: Callable[["sys.UnraisableHookArgs"], object], ignored: "sys.UnraisableHookArgs") -> None:
    """Send a stop once more that came where Python can raise nothing, as in `__del__` or the callback of a weak reference."""
    frames = ignored.exc_traceback
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    if frames is None or frames.tb_frame.f_code is not _exit_on_signal.__code__:
        before(ignored)
        return
    again = threading.Timer(_LOOK, os.kill, (os.getpid(), signal.SIGTERM))
    again.daemon = True
    again.start()


def _set_up_output() -> None:
    """Flush each line of output (a killed process flushes nothing); send `run.log` to stderr."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    logger = logging.getLogger(LOGGER)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _leave(status: int) -> NoReturn:
    """End this process as an interpreter does, but for taking all objects apart: a fork would copy all memory for that,
    which takes several times as long as all else of a short job. Children of `multiprocessing` end like this.
    """
    end_threads_and_exits()
    gc.collect()  # in a fork, of what has been made since
    files = [each for each in gc.get_objects() if issubclass(type(each), io.IOBase)]
    for each in sorted(files, key=_depth):
        with suppress(Exception):
            each.close() if _depth(each) == _WRAPPER else each.flush()
    os._exit(status)


_TEXT, _WRAPPER, _BUFFER = range(3)


def _depth(file: io.IOBase) -> int:
    """Return when what is open still writes the rest: a wrapper, as of gzip, before what it writes to, and as it is closed."""
    if isinstance(file, io.TextIOBase):
        return _TEXT
    return _BUFFER if type(file).__module__ == "_io" else _WRAPPER


if __name__ == "__main__":
    try:
        ended = main()
    except SystemExit as exiting:
        if exiting.code is None or isinstance(exiting.code, int):
            ended = exiting.code or 0
        else:
            ended = 1
            sys.stderr.write(f"{exiting.code}\n")
    _leave(ended)
