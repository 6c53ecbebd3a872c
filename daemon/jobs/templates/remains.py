"""What FILE has left open or running when it was loaded, which no fork may share with others."""

import gc
import os
import random
import sys
import threading
from pathlib import Path

from ..private import shared_random
from ..processes.process_tree import descendants

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
