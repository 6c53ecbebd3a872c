"""A trust page of its own, and its end of trust, moved nearer than a heartbeat ever moves it: only once all that shall end by
it has started.
"""

from daemon.jobs.processes.trust_page import TrustPage, TrustPages
from lease.clock import boottime


class OwnPage(TrustPage):
    """A page that is closed with the memory that it is in."""

    def close(self) -> None:
        was_open = self.fd >= 0
        super().close()
        if was_open:
            self._pages.close()


def a_page(until: float = 0.0) -> TrustPage:
    pages = TrustPages(1)
    taken = pages.take(until)
    return OwnPage(pages, taken.fd, taken.place, taken.number, until)


def end_trust(page: TrustPage, seconds: float) -> float:
    """Let trust end so many seconds from now, however far off its end was, and return when that is."""
    until = boottime() + seconds
    page._until = until
    page._pages.write(page.place, page.number, until)
    return until
