"""What the machine is short of when an attempt cannot be begun (rule 25)."""

import errno
import os

from ...errors import DaemonError

_NO_THREAD = "can't start new thread"
"""What Python says where the system refuses a thread, without a number."""
_LACKS = {
    errno.EMFILE: (
        "this process has run out of file descriptors",
        "count them with `ls /proc/{pid}/fd | wc -l`, and see `ulimit -n`, or LimitNOFILE= of a service",
    ),
    errno.ENFILE: (
        "this machine has run out of file descriptors",
        "see /proc/sys/fs/file-nr and /proc/sys/fs/file-max",
    ),
    errno.EAGAIN: (
        "no more processes or threads can be started",
        "see `ulimit -u`, and pids.max of the cgroup (TasksMax= of a service)",
    ),
    errno.ENOMEM: (
        "there is not enough memory for another process",
        "see `free -m`, and memory.max of the cgroup (MemoryMax= of a service)",
    ),
    errno.ENOSPC: ("there is no space left for temporary files", "see `df -h ${{TMPDIR:-/tmp}}`"),
}


class Shortage(DaemonError):
    """The machine lacks what something takes; of an attempt, nothing ran, and it uses up nothing."""


_NOT_BEGUN = "the job was not started and no attempt was used"


def shortage(error: BaseException, so: str = _NOT_BEGUN) -> Shortage | None:
    """Return what the machine is short of by this error, and what comes of it; None if it says something else."""
    match error:
        case OSError(errno=int() as number):
            return shortage_of(number, so)
        case MemoryError():
            return shortage_of(errno.ENOMEM, so)
        case RuntimeError(args=(str() as said,)) if said.startswith(_NO_THREAD):
            return shortage_of(errno.EAGAIN, so)
        case _:
            return None


def shortage_of(number: int, so: str = _NOT_BEGUN) -> Shortage | None:
    """Return what the machine is short of by this number of an error; None if that says something else."""
    if number not in _LACKS:
        return None
    lack, remedy = _LACKS[number]
    return Shortage(f"{lack}, so {so}; {remedy.format(pid=os.getpid())}")
