"""The identity of processes: whether one is alive, and what a keeper left behind (rule 18)."""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from .process_tree import MARK, SESSION, START_TIME, STATE, THREADS, descendants, processes, send, stat


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process id with the clock ticks since boot at which it started: within one boot, only ids are reused."""

    pid: int
    start_time: int
    """0 where it is unknown (no /proc)."""


def identity(pid: int) -> ProcessIdentity | None:
    """Return the process that has this id now, a zombie included; None if there is none."""
    fields = stat(pid)
    if fields is not None:
        return ProcessIdentity(pid, int(fields[START_TIME]))
    return None if sys.platform == "linux" else ProcessIdentity(pid, 0)


def is_alive(process: ProcessIdentity) -> bool | None:
    """Return whether this very process is alive, in this boot and pid namespace (rule 18).

    A zombie is dead, and so is a process whose id now has another start time. None: EPERM and an
    unreadable /proc prove nothing.
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
    """Return the pid namespace of this process; None where the platform has no such thing."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        return None


def leftovers(keeper: ProcessIdentity) -> set[int]:
    """Return the living processes of a keeper's tree without the keeper, which may itself be gone.

    They are its descendants; those that carry its mark in their environment, under any parent, with
    their descendants; and its session, as long as its process id cannot have been reused.
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
    """Kill what is left of a keeper's tree, then the keeper; return whether all was seen gone.

    Blocks for at most `limit` seconds: call it in a thread. Only for a keeper of this boot and pid
    namespace (rule 18). Without /proc nothing can be seen gone, and the answer is always False.
    """
    give_up = time.monotonic() + limit
    while time.monotonic() < give_up:
        alive = is_alive(keeper)  # before looking at its tree: a child it starts later shows next time
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
