"""The journal of a user's process: a JSON line per note."""

import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chaos.diary import FOLDER, Note, boottime, read

URL, TTL = "CHAOS_USERS_URL", "CHAOS_USERS_TTL"
"""Environment variables: a user's database, and the ttl of its leases."""
ACCOUNT = "users"


class Journal:
    """The notes of this process; each of its threads may write."""

    def __init__(self, user: str) -> None:
        folder = Path(os.environ[FOLDER]) / ACCOUNT
        folder.mkdir(exist_ok=True)
        self.process = f"{os.getpid()}.{time.time_ns()}"
        """This process and no other: a campaign has so many that their ids come again."""
        path = folder / f"{user}-{self.process}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._visits = itertools.count(1)
        self.user = user

    def visit(self) -> int:
        """Return the number of the next acquisition."""
        return next(self._visits)

    def note(self, what: str, **more: Any) -> None:
        """Append a line in a single write."""
        os.write(self._file, json.dumps({"what": what, "at": boottime(), **more}).encode() + b"\n")


def journals(folder: Path) -> Iterator[tuple[str, list[Note]]]:
    """Yield the user and the notes of each journal."""
    for path in sorted((folder / ACCOUNT).glob("*.jsonl")):
        yield path.stem.rpartition("-")[0], read(path)
