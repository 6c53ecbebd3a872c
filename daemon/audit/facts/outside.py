"""What happens to the system from outside."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which no replica could recover anything: the database was away or held up, say."""

    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The database's clock was set forward: grants may overlap there (rule 1)."""

    at: datetime
