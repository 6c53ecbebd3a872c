"""The template that has loaded FILE: a function's child that waits, and goes on in each of its forks; and what FILE has
left open or running when it was loaded, which no fork may share with others.
"""

import contextlib
import gc
import inspect
import json
import os
import random
import resource
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from ...definitions.application import Application
from ...definitions.sources.load import load
from ...errors import DaemonError
from ..brief import TEMPLATE_VARIABLE
from ..private import ShownVariable, shared_random
from ..processes.keeper import IGNORED, RESET, limit_descriptors
from ..processes.process_tree import MARK, adopt_orphans, descendants, send
from .forks import Forks


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


# What FILE leaves: what each fork gets as well, and what none may share


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


_HARMLESS = ("/dev/null", "/dev/random", "/dev/urandom")


class Before:
    def __init__(self) -> None:
        self.descriptors = _descriptors()
        self.random = random.getstate()


def _descriptors() -> set[int]:
    """Return the descriptors that this process has open; none where there is no /proc."""
    if sys.platform != "linux":
        return set()
    listed = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - names are enough
    return {number for number in listed if Path(f"/proc/self/fd/{number}").is_symlink()}  # not that of the list itself


def remains(before: Before) -> str | None:
    """Return the first thing that a fork can't have or must not share, besides what was there
    before; None if there is nothing, and where nothing is forked.
    """
    if sys.platform != "linux":
        return None
    names = [thread.name for thread in threading.enumerate() if thread is not threading.current_thread()]
    if names:
        return f"a thread ({names[0]})"
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        return "a thread that is not Python's own"
    if descendants(os.getpid()):
        return "a process"
    if _shares_memory():
        return "shared memory (such as a lock or queue of multiprocessing)"
    if _has_a_generator():
        return "a random generator of its own"
    if random.getstate() != before.random:
        return "a seeded random generator (it was seeded, or a number was drawn)"  # which look the same
    return next((found for number in sorted(_descriptors() - before.descriptors) if (found := _open(number))), None)


def _shares_memory() -> bool:
    """Return whether there is memory that only forks can share: a job that is killed would leave a
    lock there held for ever. What a file has a name for is shared by those that load FILE anew too.
    """
    maps = Path("/proc/self/maps").read_text(errors="replace").splitlines()
    return any(line.endswith(" (deleted)") and line.split(maxsplit=2)[1].startswith("rw-s") for line in maps)


def _has_a_generator() -> bool:
    """Return whether there is a generator of random numbers that is not seeded anew: all forks would draw the same."""
    numpy = sys.modules.get("numpy.random")
    kinds = [random.Random, *(getattr(numpy, name, random.Random) for name in ("Generator", "RandomState"))]
    anew = {id(shared_random()), id(getattr(getattr(numpy, "mtrand", None), "_rand", None))}
    return any(
        issubclass(type(each), tuple(kinds)) and not isinstance(each, random.SystemRandom) and id(each) not in anew
        for each in gc.get_objects()
    )


def _open(number: int) -> str | None:
    """Return what a descriptor is open for, unless it may be shared: of a file, forks would share
    the place at which they read, and go on writing to a log that has been rotated away.
    """
    try:
        opened = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
    except OSError:  # it has been closed
        return None
    if opened in _HARMLESS:
        return None
    kind, _, _ = opened.partition(":[")
    return "an open connection (a socket)" if kind == "socket" else f"an open file ({kind})"
