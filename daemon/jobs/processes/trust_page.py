"""The trust page, on which keepers and children read each new end of trust (rules 9, 20)."""

import os
import struct
import sys
import tempfile
import threading

_DOUBLE = struct.Struct("=d")


class TrustPage:
    """Eight bytes of shared memory that hold the end of trust, in seconds of `lease.clock`.

    `fd` is open for reading only; a keeper and a child inherit it.
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
        """Write a later end of trust; an earlier one changes nothing, nor does any after `close`.

        For any thread.
        """
        with self._lock:
            if until > self._until and self._write >= 0:
                self._until = until
                os.pwrite(self._write, _DOUBLE.pack(until), 0)

    def read(self) -> float:
        """Return the end of trust."""
        return self._until

    def close(self) -> None:
        """Free the memory. Keepers that have the page open go by the last end of trust."""
        with self._lock:
            if self._write >= 0:
                os.close(self._write)
                os.close(self.fd)
                self._write = self.fd = -1


def read_trust(fd: int) -> float:
    """Return the end of trust from a page's descriptor.

    It is read twice, since eight bytes may not be written atomically.
    """
    page = os.pread(fd, 8, 0)
    while (again := os.pread(fd, 8, 0)) != page:
        page = again
    (until,) = _DOUBLE.unpack(page)
    return float(until)
