"""The trust page: where the heartbeat writes each new end of trust, and keepers and children read it (rules 9, 20)."""

import os
import struct
import sys
import tempfile
import threading

_DOUBLE = struct.Struct("=d")


class TrustPage:
    """Eight bytes in memory, shared through a descriptor: the moment, in seconds of `lease.clock`, when trust ends.

    `fd` is open for reading only; it is what a keeper and a child are given.
    """

    def __init__(self, until: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._until = until
        if sys.platform == "linux":
            self._write = os.memfd_create("leased-trust")
            self.fd = os.open(f"/proc/self/fd/{self._write}", os.O_RDONLY | os.O_CLOEXEC)
        else:
            self._write, path = tempfile.mkstemp(prefix="leased-trust")
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            os.unlink(path)  # noqa: PTH108
        os.pwrite(self._write, _DOUBLE.pack(until), 0)

    def extend(self, until: float) -> None:
        """Move the end of trust on; an earlier one than there is changes nothing. For any thread; after close, nothing."""
        with self._lock:
            if until > self._until and self._write >= 0:
                self._until = until
                os.pwrite(self._write, _DOUBLE.pack(until), 0)

    def read(self) -> float:
        """Return the end of trust."""
        return self._until

    def close(self) -> None:
        """Give the memory back. Keepers that have it open go on by the last end of trust."""
        with self._lock:
            if self._write >= 0:
                os.close(self._write)
                os.close(self.fd)
                self._write = self.fd = -1


def read_trust(fd: int) -> float:
    """Return the end of trust from a page's descriptor; read twice, for nothing says that eight bytes move at once."""
    page = os.pread(fd, 8, 0)
    while (again := os.pread(fd, 8, 0)) != page:
        page = again
    (until,) = _DOUBLE.unpack(page)
    return float(until)
