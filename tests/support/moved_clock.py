"""A PostgreSQL server whose wall clock a test moves, without that of the machine (libfaketime)."""

from pathlib import Path
from typing import Any

from .binaries import Binaries
from .postgres import PostgresServer

_PLACES = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime")
MISSING = "install faketime (libfaketime) to move the clock of one program"


def library() -> str | None:
    """Return libfaketime for programs with threads; None if it is not installed."""
    found = [Path(place) / "libfaketimeMT.so.1" for place in _PLACES]
    return next((str(path) for path in found if path.exists()), None)


class MovedClock:
    """A file that says how far a wall clock is ahead; a server looks into it each time it reads the clock."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "clock"
        self.ahead = 0.0
        self._write()

    def step(self, seconds: float) -> None:
        """Step forward, or back if this is negative; the next reading shows it."""
        self.ahead = round(self.ahead + seconds, 3)
        self._write()

    def environment(self) -> dict[str, str]:
        """Return what makes a program go by it; its monotonic clock stays that of the machine."""
        preload = library()
        assert preload is not None
        return {
            "LD_PRELOAD": preload,
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
        }

    def _write(self) -> None:
        draft = self.file.with_suffix(".draft")
        draft.write_text(f"{self.ahead:+.3f}")
        draft.chmod(0o644)
        draft.rename(self.file)


class ClockedServer(PostgresServer):
    """Its own waits are not disturbed by steps; several may go by one ``clock``."""

    def __init__(self, binaries: Binaries, *, clock: MovedClock | None = None, **options: Any) -> None:
        super().__init__(binaries, **options)
        self.clock = clock or MovedClock(self.folder)

    def more_environment(self) -> dict[str, str]:
        return self.clock.environment()

    def step(self, seconds: float) -> None:
        """Let its clock step forward, or back if this is negative; the next statement sees it."""
        self.clock.step(seconds)
