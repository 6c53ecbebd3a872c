"""A PostgreSQL server whose wall clock a test moves, without that of the machine (libfaketime)."""

from pathlib import Path

from .postgres import PostgresServer

_PLACES = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime")
MISSING = "install faketime (libfaketime) to move the clock of one program"


def library() -> str | None:
    """Return libfaketime for programs with threads; None if it is not installed."""
    found = [Path(place) / "libfaketimeMT.so.1" for place in _PLACES]
    return next((str(path) for path in found if path.exists()), None)


class ClockedServer(PostgresServer):
    """Its monotonic clock is that of the machine, so that its own waits are not disturbed."""

    _ahead = 0.0

    def more_environment(self) -> dict[str, str]:
        preload = library()
        assert preload is not None
        self._write()
        return {
            "LD_PRELOAD": preload,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
        }

    def step(self, seconds: float) -> None:
        """Let its clock step forward, or back if this is negative; the next statement sees it."""
        self._ahead += seconds
        self._write()

    @property
    def _file(self) -> Path:
        return self.folder / "clock"

    def _write(self) -> None:
        draft = self.folder / "clock.draft"
        draft.write_text(f"{self._ahead:+.3f}")
        draft.chmod(0o644)
        draft.rename(self._file)
