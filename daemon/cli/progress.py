"""What `leased run --until-idle` shows while it works: bars on a terminal, lines elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from lease.durations import format_duration
from lease.events import Event

from ..telemetry.log_watcher import log_lease_event, log_refused_write
from ..telemetry.watcher import NoWatcher
from ..text import clean, last_line, number

MOST_REMEMBERED = 1_000
LINE_EVERY = 2.0
"""Seconds between two lines about the progress of one job."""
_STYLES = {"succeeded": "green", "failed": "red", "abandoned": "red", "cancelled": "yellow", "stopped": "yellow"}


class PlainView(NoWatcher):
    """Writes a line for each fact, and remembers which runs have ended."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}
        self.ended: dict[int, str] = {}
        """The state of each run that ended, the last ones."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def run_started(self, schedule: str, run_id: int, token: int) -> None:
        self.line(f"{schedule}: run {run_id} begins, token {token}", "bold")

    def job_progress(self, schedule: str, job: str, done: float, total: float | None, message: str | None) -> None:
        now = self._clock()
        if now - self._told.get((schedule, job), -LINE_EVERY) >= LINE_EVERY:
            self._told[schedule, job] = now
            self.line(f"  {job}: {_how_far(done, total)}{f', {message}' if message else ''}")

    def job_output(self, schedule: str, job: str, line: str) -> None:
        del schedule
        self.line(f"  {job} | {line}", "dim")

    def job_ended(self, schedule: str, job: str, state: str, seconds: float, error: str | None) -> None:
        self._told.pop((schedule, job), None)
        said = f": {last_line(error)}" if last_line(error) else ""
        self.line(f"  {job}: {state} in {format_duration(seconds)}{said}", _STYLES.get(state, ""))

    def run_ended(self, schedule: str, run_id: int, state: str, reason: str | None, token: int) -> None:
        del token
        self.ended.pop(run_id, None)
        self.ended[run_id] = state
        while len(self.ended) > MOST_REMEMBERED:
            del self.ended[next(iter(self.ended))]
        self.line(f"{schedule}: run {run_id} {state}{f' ({reason})' if reason else ''}", _STYLES.get(state, ""))

    def write_refused(self, schedule: str, run_id: int, token: int, who: str) -> None:
        log_refused_write(schedule, run_id, token, who)

    def lease_event(self, event: Event) -> None:
        log_lease_event(event)

    def note(self, text: str) -> None:
        self.line(text, "dim")

    def line(self, text: str, style: str = "") -> None:
        """Write one line."""
        self._console.print(Text(clean(text), style), soft_wrap=True)


class ProgressView(PlainView):
    """Shows a bar for each job that runs, below the lines of those that are over."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bars: dict[tuple[str, str], TaskID] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            _HowFar(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[message]}", style="dim", markup=False),
            console=console,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def job_started(self, schedule: str, job: str, run_id: int, token: int) -> None:
        del run_id, token
        self._end(schedule, job)
        self._bars[schedule, job] = self._progress.add_task(clean(job), total=None, message="")

    def job_progress(self, schedule: str, job: str, done: float, total: float | None, message: str | None) -> None:
        bar = self._bars.get((schedule, job))
        if bar is not None:
            self._progress.update(bar, completed=done, total=total, message=clean(message or ""))

    def job_ended(self, schedule: str, job: str, state: str, seconds: float, error: str | None) -> None:
        self._end(schedule, job)
        super().job_ended(schedule, job, state, seconds, error)

    def _end(self, schedule: str, job: str) -> None:
        bar = self._bars.pop((schedule, job), None)
        if bar is not None:
            self._progress.remove_task(bar)


class _HowFar(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(_how_far(task.completed, task.total) if task.completed or task.total else "")


def _how_far(done: float, total: float | None) -> str:
    return number(done) if total is None else f"{number(done)} of {number(total)}"
