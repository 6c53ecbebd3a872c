"""A tree of processes as /proc shows it: its lines of descent, and how to freeze all of it; and the title of this
process, which says in `ps` and `top` of which run it is.

Only the standard library, because the keeper runs this file too. Without /proc (macOS) a tree looks
empty, and only process groups can be ended.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterable

MARK = "LEASED_KEEPER"
"""The environment variable that names the keeper a process descends from, as `pid.start_time`."""
STATE, PARENT, GROUP, SESSION, THREADS, START_TIME = 0, 1, 2, 3, 17, 19
"""The position of each field in what `stat` returns."""
LISTS_CHILDREN = os.access(f"/proc/{os.getpid()}/task/{os.getpid()}/children", os.R_OK)
"""Whether the kernel lists the children of a thread; it is built with that nearly everywhere."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def adopt_orphans(adopts: bool) -> None:
    """Let this process be the parent of whatever its descendants orphan, or no longer; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(adopts), 0, 0, 0)


def die_with(parent: int) -> None:
    """Ask Linux to kill this process when its parent dies, or rather the thread that started it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)


def stat(pid: int | str) -> list[bytes] | None:
    """Return the fields of /proc/PID/stat from the state on; None if there is none. `PID/task/ID` is a thread."""
    raw = contents(f"/proc/{pid}/stat")
    return raw[raw.rindex(b")") + 2 :].split() if raw else None


def contents(path: str, most: int = 4096) -> bytes:
    """Return what a file of the kernel has, ``most`` bytes of it; nothing if it can't be read."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(file, most)
    except OSError:
        return b""
    finally:
        os.close(file)


def processes() -> dict[int, list[bytes]]:
    """Return all processes that /proc shows, by id; empty without /proc."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()] if sys.platform == "linux" else []  # noqa: PTH208
    return {pid: fields for pid in pids if (fields := stat(pid)) is not None}


def descendants(root: int, everybody: dict[int, list[bytes]] | None = None) -> dict[int, int]:
    """Return the process group of each descendant of `root`, parents first; zombies included.

    Without `everybody` only the tree is read, where Linux lists children: a hundred keepers that end
    their trees at once must not read all processes of the machine each. A child of a parent that is
    not stopped may be missing then if another one ends at that moment.
    """
    if everybody is None and not LISTS_CHILDREN:
        everybody = processes()
    children: dict[int, list[int]] = {}
    for pid, fields in (everybody or {}).items():
        children.setdefault(int(fields[PARENT]), []).append(pid)
    found: dict[int, int] = {}
    line = [root]
    for parent in line:
        for pid in _children(parent) if everybody is None else children.get(parent, []):
            seen = None if pid in found else stat(pid) if everybody is None else everybody[pid]
            if seen is not None:
                found[pid] = int(seen[GROUP])
                line.append(pid)
    return found


def _children(pid: int) -> list[int]:
    """Return the children of a process, those of each of its threads."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names are enough; pathlib would make a path of each
    except OSError:
        return []
    found = b""
    for thread in threads:
        try:
            file = os.open(f"/proc/{pid}/task/{thread}/children", os.O_RDONLY)
        except OSError:  # it has ended: another thread has its children now
            continue
        try:
            while part := os.read(file, 65536):
                found += part
        except OSError:
            continue
        finally:
            os.close(file)
    return [int(child) for child in found.split()]


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to processes (positive) and process groups (negative) that still exist."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def freeze(root: int, seen: Iterable[int] = ()) -> set[int]:
    """Stop the tree below `root` until nothing new shows; return its processes and (negative) groups.

    A group is signalled as a whole, so that no fork slips through. All groups of a tree are its own except that of its
    root.
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


_ARGUMENTS = (45, 46)
"""The positions of the addresses at which the arguments begin and end."""


def show_title(title: str, name: str) -> None:
    """Show ``title`` in place of the arguments of this process, as long as they are at most, and ``name`` (of which 15
    bytes are shown) in place of its name; do nothing where the system does not let it.
    """
    try:
        fields = stat("self") or []
        start, end = (int(fields[place]) for place in _ARGUMENTS)
        shown = title.encode(errors="replace")[: end - start - 1]
        with open("/proc/self/mem", "r+b", buffering=0) as memory:  # noqa: PTH123 (no pathlib here)
            memory.seek(start)
            memory.write(shown.ljust(end - start, b"\0"))
        with open("/proc/self/comm", "wb", buffering=0) as file:  # noqa: PTH123 (no pathlib here)
            file.write(name.encode(errors="replace")[:15])
    except (OSError, ValueError, IndexError, OverflowError):
        return
