"""The trust pages, on which keepers and children read each new end of trust (rules 9, 20)."""

import os
import sys
import tempfile
import threading

from .keeper import PAGE


class TrustPages:
    """Shared memory with a page for each of ``most`` runs at once. All of it is taken here, so that
    a page costs neither a descriptor nor memory that could be missing later.
    """

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        if sys.platform == "linux":
            self._write = os.memfd_create("leased-trust")
            path = f"/proc/self/fd/{self._write}"
        else:
            self._write, path = tempfile.mkstemp(prefix="leased-trust")
        try:
            self._read = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            os.pwrite(self._write, PAGE.pack(0, 0.0) * most, 0)
        except BaseException:
            os.close(self._write)
            raise
        finally:
            if sys.platform != "linux":
                os.unlink(path)  # noqa: PTH108
        self._free = [place * PAGE.size for place in reversed(range(most))]
        self._last = 0

    def take(self, until: float = 0.0) -> "TrustPage":
        """Return a page of its own, with this end of trust."""
        with self._lock:
            self._last += 1
            page = TrustPage(self, self._read, self._free.pop(), self._last, until)
        self.write(page.place, page.number, until)
        return page

    def write(self, place: int, number: int, until: float) -> None:
        """Write the number of the page that stands in a place, and its end of trust."""
        with self._lock:
            if self._write >= 0:
                os.pwrite(self._write, PAGE.pack(number, until), place)

    def give_back(self, page: "TrustPage") -> None:
        """Free a page: whoever still reads it has no trust any more."""
        self.write(page.place, 0, 0.0)
        with self._lock:
            self._free.append(page.place)

    def close(self) -> None:
        """Free the memory. Keepers that have it open go by the last ends of trust; a late renewal changes nothing."""
        with self._lock:
            os.close(self._write)
            os.close(self._read)
            self._write = self._read = -1


class TrustPage:
    """The page of one run: its end of trust, in seconds of `lease.clock`.

    `fd` is open for reading only; a keeper and a child inherit it, and find the page by `address`.
    """

    def __init__(self, pages: TrustPages, fd: int, place: int, number: int, until: float) -> None:
        self._pages = pages
        self._lock = threading.Lock()
        self._until = until
        self.fd, self.place, self.number = fd, place, number
        self.address = f"{fd}:{place}:{number}"
        """Where it is, for `trusted_until` in another process."""

    def extend(self, until: float) -> None:
        """Write a later end of trust; an earlier one changes nothing, nor does any after `close`. For any thread."""
        with self._lock:
            if until > self._until and self.fd >= 0:
                self._until = until
                self._pages.write(self.place, self.number, until)

    def close(self) -> None:
        with self._lock:
            if self.fd >= 0:
                self.fd = -1
                self._pages.give_back(self)
