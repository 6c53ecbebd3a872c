"""How often the kernel has killed a process because memory ran out, as it counts them.

Only the standard library, because the keeper runs this file too.
"""

import os
from collections.abc import Iterator

CGROUPS = "/sys/fs/cgroup"
PROC = "/proc"


class KillCount:
    """The count of such kills in the memory cgroup of this process; without one, on the machine.

    It is that of the cgroup as it was when this was made. None where the kernel shows none.
    """

    def __init__(self) -> None:
        counts = ((file, count) for file in _files() if (count := _count(file)) is not None)
        self._file: str | None
        self._file, self._before = next(counts, (None, 0))

    def has_grown(self) -> bool:
        now = _count(self._file) if self._file is not None else None
        return now is not None and now > self._before


def _files() -> Iterator[str]:
    """Yield the files that may have the count, the closest to this process first."""
    for line in _read(f"{PROC}/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield f"{CGROUPS}/memory{path}/memory.oom_control"
            yield f"{CGROUPS}/memory/memory.oom_control"  # as a container sees its own
        elif not controllers:
            yield f"{CGROUPS}{path}/memory.events"
            yield f"{CGROUPS}/memory.events"
    yield f"{PROC}/vmstat"


def _count(file: str) -> int | None:
    for line in _read(file).splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return None


def _read(file: str) -> str:
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 65536).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
