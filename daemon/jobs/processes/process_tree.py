"""A tree of processes as /proc shows it: its lines of descent, and how to freeze all of it.

Only the standard library, because the keeper runs this file too. Without /proc (macOS) a tree looks
empty, and only process groups can be ended.
"""

import os
import signal
import sys
from collections.abc import Iterable

MARK = "LEASED_KEEPER"
"""The environment variable that names the keeper a process descends from, as `pid.start_time`."""
STATE, PARENT, GROUP, SESSION, THREADS, START_TIME = 0, 1, 2, 3, 17, 19
"""The position of each field in what `stat` returns."""


def stat(pid: int) -> list[bytes] | None:
    """Return the fields of /proc/PID/stat from the state on; None if there is no such file."""
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
        try:
            raw = os.read(file, 4096)
        finally:
            os.close(file)
    except OSError:
        return None
    return raw[raw.rindex(b")") + 2 :].split()


def processes() -> dict[int, list[bytes]]:
    """Return all processes that /proc shows, by id; empty without /proc."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()] if sys.platform == "linux" else []  # noqa: PTH208
    return {pid: fields for pid in pids if (fields := stat(pid)) is not None}


def descendants(root: int, everybody: dict[int, list[bytes]] | None = None) -> dict[int, int]:
    """Return the process group of each descendant of `root`, parents first; zombies included."""
    everybody = processes() if everybody is None else everybody
    children: dict[int, list[int]] = {}
    for pid, fields in everybody.items():
        children.setdefault(int(fields[PARENT]), []).append(pid)
    found: dict[int, int] = {}
    line = [root]
    for parent in line:
        for pid in children.get(parent, ()):
            if pid not in found:
                found[pid] = int(everybody[pid][GROUP])
                line.append(pid)
    return found


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to processes (positive) and process groups (negative) that still exist."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def freeze(root: int, seen: Iterable[int] = ()) -> set[int]:
    """Stop the tree below `root` until nothing new shows; return its processes and (negative)
    groups.

    A group is signalled as a whole, so that no fork slips through. All groups of a tree are its own
    except that of its root.
    """
    frozen = set(seen)
    send(frozen, signal.SIGSTOP)
    for _ in range(20):
        found = descendants(root)
        new = {pid: group for pid, group in found.items() if pid not in frozen and -group not in frozen}
        groups = {-group for group in new.values() if group not in (root, 0)}
        send(groups, signal.SIGSTOP)
        send(new, signal.SIGSTOP)
        frozen |= groups | set(found)
        if not new:
            break
    return frozen
