"""The means of one client's shortcut."""

from collections.abc import Callable
from dataclasses import dataclass

from ..background import BackgroundLoop
from ..core import Core
from ..database_store import DatabaseStore
from ..events import Event
from .loan import Loan


@dataclass(frozen=True, slots=True)
class Means:
    """All that is shared with the library's thread."""

    core: Core
    store: DatabaseStore
    loan: Loan
    loop: BackgroundLoop
    notify: Callable[[Event], None]
    """Delivers an event, without a lock that a signal could leave held."""
