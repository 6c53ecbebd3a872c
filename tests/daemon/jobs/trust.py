"""The end of trust, moved nearer than a heartbeat ever moves it: only once all that shall end by it has started."""

import os
import struct

from daemon.jobs.processes.trust_page import TrustPage
from lease.clock import boottime


def end_trust(page: TrustPage, seconds: float) -> float:
    """Let trust end so many seconds from now, however far off its end was, and return when that is."""
    until = boottime() + seconds
    page._until = until
    os.pwrite(page._write, struct.pack("=d", until), 0)
    return until
