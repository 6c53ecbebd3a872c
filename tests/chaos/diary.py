"""The diaries of attempts: a file per attempt, a JSON line per note. Only the standard library."""

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
    """Return the time since boot: the same in every process, and independent of the wall clock."""
    return time.clock_gettime(_CLOCK)


def diaries() -> Path:
    """Return the folder of the diaries."""
    return Path(os.environ[FOLDER]) / "diaries"


class Diary:
    """The notes of an attempt. Jobs inside a replica close it, to save descriptors."""

    def __init__(self, run: int, job: str, attempt: int, grant: tuple[str, int, str]) -> None:
        self._lease = hashlib.sha256(grant[0].encode()).hexdigest()[:16]
        path = diaries() / f"{run}-{job}-{attempt}-{os.getpid()}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._known = {"run": run, "job": job, "attempt": attempt, "grant": list(grant)}

    def note(self, what: str, **more: Any) -> None:
        """Append a line in a single write."""
        line = {"what": what, "at": boottime(), **(self._known if what == "began" else {}), **more}
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)

    def survivors(self, ours: list[int]) -> list[int]:
        """Return living processes of earlier attempts under this lease, and note ours."""
        path = diaries() / f"{self._lease}.pids"
        earlier = [tuple(map(int, line.split())) for line in path.read_text().splitlines()] if path.exists() else []
        found = [pid for pid, start in earlier if start_time(pid) == start]
        with path.open("a") as file:
            file.writelines(f"{pid} {start_time(pid)}\n" for pid in ours)
        return found


def read(path: Path) -> list[Note]:
    """Return the notes of an attempt; only whole lines if it was killed while writing."""
    notes = []
    for line in path.read_bytes().splitlines():
        try:
            notes.append(json.loads(line))
        except ValueError:
            continue
    return notes


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if it is dead or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
