"""Processes by identity: which one is meant, whether it still lives, and what a keeper left behind (rule 18)."""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lease.clock import boot_id

from .process_tree import MARK, SESSION, START_TIME, STATE, THREADS, descendants, processes, send, stat

__all__ = [
    "ProcessIdentity",
    "boot_id",
    "descendants",
    "end_leftovers",
    "identity",
    "is_alive",
    "leftovers",
    "pid_namespace",
]


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process id with the clock ticks since boot at which it began: ids come back, the pair does not (in one boot)."""

    pid: int
    start_time: int
    """0 where the platform does not tell (no /proc)."""


def identity(pid: int) -> ProcessIdentity | None:
    """Return who has this process id now, a zombie included; None when nobody has."""
    fields = stat(pid)
    if fields is not None:
        return ProcessIdentity(pid, int(fields[START_TIME]))
    return None if sys.platform == "linux" else ProcessIdentity(pid, 0)


def is_alive(process: ProcessIdentity) -> bool | None:
    """Say whether this very process lives, in this boot and pid namespace; None when nothing is proven (rule 18).

    A zombie is dead, and so is one whose id has gone to a process with another start time. EPERM and an unreadable
    /proc prove nothing.
    """
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return None
    fields = stat(process.pid)
    if fields is None or process.start_time == 0:
        return None
    if int(fields[START_TIME]) != process.start_time:
        return False
    # A process whose first thread has ended shows as a zombie too while its other threads go on.
    return not (fields[STATE] in b"ZX" and int(fields[THREADS]) <= 1)


def pid_namespace() -> str | None:
    """Return which pid namespace this process is in; None where the platform does not say."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        return None


def leftovers(keeper: ProcessIdentity) -> set[int]:
    """Return what still lives of a keeper's tree, the keeper not included, also once the keeper itself is gone.

    That is: its descendants; all that carry its mark in their environment, wherever they were reparented to, with
    their descendants; and its session, as long as its process id can't have gone to another.
    """
    everybody = processes()
    holder = everybody.get(keeper.pid)
    ours = holder is not None and int(holder[START_TIME]) == keeper.start_time
    found = set(descendants(keeper.pid, everybody)) if ours else set()
    mark = f"{MARK}={keeper.pid}.{keeper.start_time}".encode()
    for pid, fields in everybody.items():
        if pid not in found and ((ours and int(fields[SESSION]) == keeper.pid) or mark in _environment(pid)):
            found |= {pid, *descendants(pid, everybody)}
    return {pid for pid in found - {keeper.pid, os.getpid()} if everybody[pid][STATE] not in b"ZX"}


def end_leftovers(keeper: ProcessIdentity, limit: float = 2.0) -> bool:
    """Kill what is left of a keeper's tree, then the keeper; wait until all is seen gone, and say whether it is.

    Blocks for `limit` seconds at the most: call it in a thread. Only for a keeper of this boot and pid namespace
    (rule 18). Where there is no /proc nothing can be seen gone, and the answer is always no.
    """
    give_up = time.monotonic() + limit
    while time.monotonic() < give_up:
        alive = is_alive(keeper)  # before the look at its tree: what it starts afterwards shows in the next one
        tree = leftovers(keeper)
        if not tree and alive is False and not leftovers(keeper):
            return sys.platform == "linux"
        send(tree, signal.SIGSTOP)
        send(tree, signal.SIGKILL)
        if not tree and alive:
            send([keeper.pid], signal.SIGKILL)
        time.sleep(0.005)
    return False


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
