"""The answers of acts that are more than what an operation returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..operations.cancel import CancelledRun
from ..operations.pause import PausedSchedule, ResumedSchedule
from ..operations.retry import RetriedRun
from . import Items


@dataclass(frozen=True, slots=True)
class TriggerAnswer:
    """The answer of `leased trigger --json`."""

    run_id: int
    application: str
    schedule: str
    already: bool
    """The same key requested it before, and nothing was written; it may be over, or pruned by now."""
    at: datetime | None
    """When it starts, if it was requested for a later moment just now."""


PauseAnswer = Items[PausedSchedule]
ResumeAnswer = Items[ResumedSchedule]


@dataclass(frozen=True, slots=True)
class CancelManyAnswer:
    """The answer of `leased cancel --schedule --json`: with ``dry_run``, what would become of each run."""

    dry_run: bool
    items: Sequence[CancelledRun]


@dataclass(frozen=True, slots=True)
class RetryManyAnswer:
    """The answer of `leased retry --failed --json`: with ``dry_run``, what would become of each run."""

    dry_run: bool
    items: Sequence[RetriedRun]
