"""The means of one client's calls."""

from collections.abc import Callable
from dataclasses import dataclass

from ..background import BackgroundLoop
from ..core import Core
from ..database_store import DatabaseStore
from ..events import Event
from ..ledger import CallLedger
from .steps import Loan


@dataclass(frozen=True, slots=True)
class Direct:
    """What it takes to send statements in the caller's own thread or event loop."""

    store: DatabaseStore
    loan: Loan


@dataclass(frozen=True, slots=True)
class Means:
    """All that callers share with the library's thread."""

    core: Core
    loop: BackgroundLoop
    ledger: CallLedger
    notify: Callable[[Event], None]
    """Delivers an event, without a lock that a signal could leave held."""
    direct: Direct | None
    """None where a test moves the time, or the store is one."""
