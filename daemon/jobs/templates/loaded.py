"""The template that has loaded FILE: a function's child that waits, and goes on in each of its forks."""

import contextlib
import gc
import inspect
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from ...definitions.application import Application
from ...definitions.sources.load import load
from ...errors import DaemonError
from ..brief import FUNCTION_CHILD, TEMPLATE_VARIABLE
from ..private import ShownVariable
from ..processes.keeper import IGNORED, RESET, limit_descriptors
from ..processes.process_tree import MARK, adopt_orphans, descendants, send
from ..processes.spawn import limit_of_children
from .forks import Forks
from .remains import Before, remains


class Effects:
    """The signal handlers, variables, folder and limit of descriptors that FILE has left.

    Make it before FILE is loaded: it keeps what there is then, to compare with, and sets the limit of
    descriptors to ``limit``, as for a child.
    """

    def __init__(self, limit: int) -> None:
        # Signals have the effect that a keeper gives them for a command; Python itself ignores two.
        for number in set(RESET) - {signal.SIGPIPE, signal.SIGXFSZ}:
            if signal.getsignal(number) == signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        limit_descriptors(limit)
        self._limits: tuple[int, int] | None = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._before = dict(os.environb)
        self._folder: Path | None = Path.cwd()
        self._handlers = _handlers()
        self._set: dict[bytes, bytes] = {}
        self._unset: set[bytes] = set()

    def note(self) -> None:
        self._set = {name: value for name, value in os.environb.items() if self._before.get(name) != value}
        self._unset = self._before.keys() - os.environb.keys()
        self._folder = None if self._folder == Path.cwd() else Path.cwd()
        self._handlers = _handlers()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._limits = None if self._limits == limits else limits

    def restore(self) -> None:
        """Have them in this process, and let signals in."""
        os.environb.update(self._set)
        for name in self._unset:
            os.environb.pop(name, None)
        if self._folder is not None:
            os.chdir(self._folder)
        if self._limits is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, self._limits)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _handlers() -> dict[signal.Signals, Callable[[int, FrameType | None], Any] | int]:
    """Return what follows from each signal that a keeper handles itself; a handler that is not Python's is not kept."""
    found = {number: signal.getsignal(number) for number in (*IGNORED, signal.SIGCHLD)}
    return {number: signal.SIG_DFL if handler is None else handler for number, handler in found.items()}


_LEAST = 64
"""Bytes that the variable has at least, so that there is room for the mark of a keeper."""


def launch_loaded(
    source: str, stamp: str, requests: int, parent: int, *, variables: Mapping[str, str], environment: Mapping[str, str]
) -> tuple[Sequence[str], Mapping[str, str]]:
    """Return the command and the environment of a template. It is told FILE as `load` takes it, its stamp as the replica
    loaded it, and the `env` of its functions; children inherit ``environment``.
    """
    told = {"source": source, "stamp": stamp, "requests": requests, "parent": parent, "limit": limit_of_children()}
    return FUNCTION_CHILD, {**environment, **variables, TEMPLATE_VARIABLE: json.dumps(told).ljust(_LEAST)}


def loaded() -> Application:
    """Load FILE, and fork children for the replica until that is gone, which ends this process;
    return in each child what was loaded. If FILE can't be forked, tell the replica why, and end.
    """
    mark = ShownVariable(TEMPLATE_VARIABLE)
    told = json.loads(os.environ.pop(TEMPLATE_VARIABLE))
    forks = Forks(told["requests"], told["parent"])
    effects, before = Effects(told["limit"]), Before()
    adopt_orphans(True)
    try:
        application = load(told["source"])
    except DaemonError as error:
        forks.give_up(str(error))
    if application.stamp != told["stamp"]:
        forks.give_up("it has changed since the replica loaded it")
    if (left := remains(before)) is not None:
        send(descendants(os.getpid()), signal.SIGKILL)
        forks.give_up(f"it leaves {left} behind when it is loaded (`leased check` explains what to do)")
    adopt_orphans(False)
    effects.note()
    jobs = [job for schedule in application.schedules for job in schedule.jobs if job.isolation == "process"]
    if any(inspect.iscoroutinefunction(job.function) for job in jobs):
        import asyncio  # noqa: F401, PLC0415 - or each child of such a function would
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or each child would
    gc.collect()
    gc.freeze()  # a collection would write to all memory, and take a copy of it
    forks.serve(lambda _argv, environment: _fork(environment, mark))
    effects.restore()
    if (numpy := sys.modules.get("numpy.random")) is not None:  # `random` sees to itself
        numpy.seed()
    return application


def _fork(environment: Mapping[bytes, bytes], mark: ShownVariable) -> int:
    """Fork the child of a keeper, in a process group of its own and with all signals blocked; return 0 there."""
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    try:
        pid = os.fork()
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        raise
    with contextlib.suppress(OSError):  # both do it: neither may go on before it is done
        os.setpgid(pid, 0)
    if pid == 0:
        # A cleaner looks there (rule 18).
        mark.show(MARK, environment[MARK.encode()])
        os.environb.update(environment)
    else:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return pid
