"""The command `leased` with its statements counted.

    python -m benchmarks.replicas.counted FILE run …

What was counted so far stands in FILE, so that another process can read it at any time.
"""

import mmap
import os
import struct
import sys
from pathlib import Path

from ..counting import Counter

_SHAPE = struct.Struct("<QQ")


class Counts:
    """The counts of one process, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(_SHAPE.size))

    def read(self) -> tuple[int, int]:
        """Return the statements and the commits so far."""
        statements, commits = _SHAPE.unpack(self.path.read_bytes())
        return statements, commits


class _Told(Counter):
    """A counter that keeps a file up to date."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _SHAPE.size)
        super().__init__(on_sqlite_alone=os.environ["LEASED_DATABASE_URL"].startswith("sqlite"))

    def _sent(self, statement: str) -> None:
        super()._sent(statement)
        _SHAPE.pack_into(self._page, 0, self.statements, self.commits)


def main() -> int:
    """Count, and be the command; return its exit status."""
    counter = _Told(Path(sys.argv.pop(1)))
    from leased import main as leased  # noqa: PLC0415 - nothing of it is to be there before the counter is

    sys.argv[0] = "leased"
    status = leased()
    del counter
    return status


if __name__ == "__main__":
    sys.exit(main())
