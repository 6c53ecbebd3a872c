"""A file that a command writes, never over another."""

from pathlib import Path

from ....errors import DaemonError
from ...failures import Misused


class NotWritten(DaemonError):
    """A file could not be written; nothing of it is left."""


def write_new(path: Path, text: str) -> None:
    """Write a file that does not exist yet; raises `Misused` if it does, and `NotWritten` if that fails."""
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        raise Misused(f"{path} already exists and was not changed; name another file, or move this one") from None
    except OSError as error:
        raise NotWritten(f"{path} cannot be written: {error.strerror}; name another file") from None
    try:
        with file:
            file.write(text)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise NotWritten(f"{path} cannot be written: {error.strerror}; name another file") from None
