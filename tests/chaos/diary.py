"""What each attempt of a job notes of itself: a file an attempt, a JSON line a note. Nothing but the standard library."""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

FOLDER = "CHAOS_FOLDER"
"""The environment variable that names the campaign's folder."""
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

Note = dict[str, Any]


def boottime() -> float:
    """The clock that is the same in every process of this machine, and that no setting of the wall clock moves."""
    return time.clock_gettime(_CLOCK)


def diaries() -> Path:
    """The folder of the diaries."""
    return Path(os.environ[FOLDER]) / "diaries"


class Diary:
    """One attempt's notes. Jobs that live in their replica close it, so that it does not run out of file descriptors."""

    def __init__(self, run: int, job: str, attempt: int, grant: tuple[str, int, str]) -> None:
        self._lease = hashlib.sha256(grant[0].encode()).hexdigest()[:16]
        path = diaries() / f"{run}-{job}-{attempt}-{os.getpid()}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._known = {"run": run, "job": job, "attempt": attempt, "grant": list(grant)}

    def note(self, what: str, **more: Any) -> None:
        """Add a line, in one write."""
        line = {"what": what, "at": boottime(), **(self._known if what == "began" else {}), **more}
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)

    def survivors(self, ours: list[int]) -> list[int]:
        """The processes of earlier attempts under this lease that are still there; ours are left to those who come."""
        path = diaries() / f"{self._lease}.pids"
        earlier = [tuple(map(int, line.split())) for line in path.read_text().splitlines()] if path.exists() else []
        found = [pid for pid, start in earlier if start_time(pid) == start]
        with path.open("a") as file:
            file.writelines(f"{pid} {start_time(pid)}\n" for pid in ours)
        return found


def read(path: Path) -> list[Note]:
    """The notes of one attempt; of one that was killed while it wrote, the whole lines."""
    notes = []
    for line in path.read_bytes().splitlines():
        try:
            notes.append(json.loads(line))
        except ValueError:
            continue
    return notes


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if there is none (a zombie is none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
