"""The answers about runs: several, one with its attempts, and what its jobs printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..states import RunState
from ..store.views.history import JobRunLine, RunDetail, RunLine
from ..store.views.output import OutputOfRun, OutputPart
from . import filled


@dataclass(frozen=True, slots=True)
class RunsAnswer:
    """The answer of `leased runs --json`."""

    items: Sequence[RunLine]


@dataclass(frozen=True, slots=True)
class ShowAnswer(RunLine):
    """The answer of `leased show --json`: a run, more about it, and its attempts."""

    params: Mapping[str, Any]
    abandoned: int
    available_at: datetime | None
    requested_by: str | None
    requested_why: str | None
    cancelled_at: datetime | None
    cancelled_by: str | None
    cancelled_why: str | None
    forgotten_at: datetime | None
    forgotten_by: str | None
    replica: str | None
    digest: str | None
    items: Sequence[JobRunLine]


def show_answer(detail: RunDetail) -> ShowAnswer:
    """Return a run as one object."""
    return filled(ShowAnswer, detail.run, detail, items=detail.jobs)


@dataclass(frozen=True, slots=True)
class LogsAnswer:
    """The answer of `leased logs --json`; with --follow, one for all that came at once."""

    run_id: int
    application: str
    schedule: str
    state: RunState
    items: Sequence[OutputPart]


def logs_answer(found: OutputOfRun) -> LogsAnswer:
    """Return the output of a run as one object."""
    return filled(LogsAnswer, found, items=found.parts)
