"""The progress of `leased run`: bars on a terminal, lines elsewhere."""

import math
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Self, assert_never

from rich import progress
from rich.console import Console, RenderableType
from rich.text import Text

from lease.durations import format_duration

from ..states import JobOutcome, RunOutcome
from ..store.views.history import RunDetail
from ..telemetry import facts
from ..telemetry.fact_log import log_fact
from ..telemetry.sentences import sentence
from ..text import clean, last_line, lasted, number, shortened
from .screen import Sheet, Times, how_far, print_verdict, say, state_cell


def print_summary(console: Console, detail: RunDetail, times: Times) -> None:
    """Write how the run ended, and a table of its jobs: of each its last attempt, and how long all took."""
    console.print()
    print_verdict(console, detail.run, times)
    of_jobs = detail.by_job
    if not of_jobs:
        return
    last = [attempts[-1] for attempts in of_jobs.values()]
    errors = ["" if job.state == "succeeded" else last_line(job.error) for job in last]
    notes = [error or job.message for job, error in zip(last, errors, strict=True)]
    without = [] if any(job.done is not None for job in last) else ["done"]
    without += [] if any(notes) else ["message"]
    columns = ("job", "state", "done", "took", "message")
    jobs = Sheet(*columns, right=("done", "took"), wraps=("message",), without=without)
    for job, note in zip(last, notes, strict=True):
        made = [attempt for attempt in of_jobs[job.job] if attempt.state != "not started"]
        state = state_cell(job.state, f" (attempt {len(made)})" if len(made) > 1 else "")
        took = lasted(sum(attempt.seconds for attempt in made))
        jobs.add(job.job, state, "" if job.done is None else number(job.done), took, note)
    jobs.print_below(console)


MOST_REMEMBERED = 1_000
LINE_EVERY = 2.0
"""The least number of seconds between two progress lines of one job."""


class PlainView:
    """A subscriber that writes a line for each fact and remembers which runs have ended."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._reported: dict[facts.JobSubject, float] = {}
        self.ended: dict[int, RunOutcome] = {}
        """The outcomes of the latest runs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None: ...

    def __call__(self, fact: facts.Fact) -> None:
        """Write what a fact has to say, if anything."""
        match fact:
            case facts.RunStarted(run):
                self.line(f"{run.schedule}: run {run.run_id} started, token {run.token}", "bold")
            case facts.RunEnded(run, outcome, reason):
                self._remember(run.run_id, outcome)
                self.run_ended(run)
                because = f" ({reason})" if reason else ""
                self.line(f"{run.schedule}: run {run.run_id} {outcome}{because}", _style(outcome))
            case facts.JobStarted(job):
                self.job_started(job)
            case facts.JobProgressed(job):
                self.job_progressed(job, fact)
            case facts.JobPrinted(job, lines):
                self._print("\n".join(clean(f"  {self.named(job)} | {line}") for line in lines))
            case facts.JobEnded(job):
                self.job_ended(job, fact)
            case facts.RunCancelled(run, by, why):
                because = f": {why}" if why else ""
                self.line(
                    f"{run.schedule}: run {run.run_id} was cancelled by {by}{because}; stopping its job", "yellow"
                )
            case facts.RunRecovered() | facts.LoopFreed() | facts.ReplicaStarted() | facts.ReplicaEnded():
                self.line(sentence(fact), "dim")
            case facts.LoopBlocked() | facts.RunLate() | facts.RunLong():
                self.line(sentence(fact), "yellow")
            case facts.DatabaseAway(error):
                self.line(f"{error}; retrying", "dim")
            case facts.DatabaseBack(seconds):
                self.line(f"the database is back after {seconds:.1f}s", "dim")
            case facts.Note(text, is_warning):
                self.line(text, "yellow" if is_warning else "dim")
            case facts.MessageSent(outcome="delivered"):
                pass
            case facts.MessageSent(_, schedule, _, kind, to, outcome, error):
                self.line(f"{schedule}: {kind} to {to} {outcome}: {error}", "yellow")
            case (
                facts.WriteRefused()
                | facts.LeaseChanged()
                | facts.SubscriberFailed()
                | facts.NextDue()
                | facts.TimesSkipped()
                | facts.SchedulesRetired()
            ):
                log_fact(fact)
            case _:
                assert_never(fact)

    def run_ended(self, run: facts.RunSubject) -> None:
        """Put away what is shown of a run: here, nothing."""

    def job_started(self, job: facts.JobSubject) -> None:
        """Do nothing: the first line of an attempt shows that it has started."""

    def job_progressed(self, job: facts.JobSubject, fact: facts.JobProgressed) -> None:
        """Write how far a job has come, at most every `LINE_EVERY` seconds."""
        now = self._clock()
        if now - self._reported.get(job, -LINE_EVERY) >= LINE_EVERY:
            self._reported[job] = now
            more = f", {fact.message}" if fact.message else ""
            self.line(f"{job.name}: {how_far(fact.done, fact.total)}{more}", lead="  ")

    def job_ended(self, job: facts.JobSubject, fact: facts.JobEnded) -> None:
        self._reported.pop(job, None)
        said = f": {last_line(fact.error)}" if last_line(fact.error) else ""
        ended = f"{job.name}: {fact.outcome} in {format_duration(fact.seconds)}{said}"
        self.line(ended, _style(fact.outcome), lead="  ")

    def named(self, job: facts.JobSubject) -> str:
        return job.name

    def line(self, text: str, style: str = "none", lead: str = "") -> None:
        """Write a sentence with what stands before it: one line, and at a terminal as many as it takes."""
        if self._console.is_terminal:
            say(self._console, text, style, lead=lead, hang=0 if lead else 2)
        else:
            self._print(lead + clean(text))

    def _print(self, lines: str) -> None:
        """Write lines as they are: to a pipe without Rich, which takes longer for one than a replica for a run."""
        console = self._console
        if console.is_terminal:
            console.print(Text(lines, "dim"), soft_wrap=True)
        elif not console.quiet:
            try:
                console.file.write(f"{lines}\n")
                console.file.flush()
            except BrokenPipeError:
                console.on_broken_pipe()

    def _remember(self, run_id: int, outcome: RunOutcome) -> None:
        self.ended.pop(run_id, None)
        self.ended[run_id] = outcome
        while len(self.ended) > MOST_REMEMBERED:
            del self.ended[next(iter(self.ended))]


class ProgressView(PlainView):
    """A `PlainView` that also draws a bar for each running job, below the lines."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bars: dict[facts.JobSubject, progress.TaskID] = {}
        self._progress = _Bars(console, self.below)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def below(self) -> str:
        """Return the line below the bars: here, none."""
        return ""

    def job_started(self, job: facts.JobSubject) -> None:
        self._bars[job] = self._progress.add_task(clean(self.named(job)), total=None, message="")

    def job_progressed(self, job: facts.JobSubject, fact: facts.JobProgressed) -> None:
        if (bar := self._bars.get(job)) is not None:
            message = shortened(clean(fact.message or ""), 40)
            self._progress.update(bar, completed=fact.done, total=fact.total, message=message)

    def job_ended(self, job: facts.JobSubject, fact: facts.JobEnded) -> None:
        self._remove(job)
        super().job_ended(job, fact)

    def run_ended(self, run: facts.RunSubject) -> None:
        """Remove the bars of attempts that an internal error ended."""
        for job in [job for job in self._bars if job.run == run]:
            self._remove(job)

    def _remove(self, job: facts.JobSubject) -> None:
        if (bar := self._bars.pop(job, None)) is not None:
            self._progress.remove_task(bar)


class LiveView(ProgressView):
    """The view of a replica that goes on: a line for each run that ends and for what it prints; below, what runs, and
    what is due next.
    """

    def __init__(self, console: Console, now: Callable[[], datetime] = lambda: datetime.now().astimezone()) -> None:
        self._now = now
        self._next = facts.NextDue(None, None)
        super().__init__(console)

    def __call__(self, fact: facts.Fact) -> None:
        """Write what a fact has to say that is still of interest when the run has ended well."""
        match fact:
            case facts.RunStarted():
                pass
            case facts.JobEnded(job, outcome="succeeded"):
                self._remove(job)
            case facts.RunEnded(run, "succeeded", _, seconds):
                self._remember(run.run_id, "succeeded")
                self.run_ended(run)
                took = "" if seconds is None else f" in {format_duration(seconds)}"
                self.line(f"{run.schedule}: run {run.run_id} succeeded{took}", "green")
            case facts.NextDue():
                self._next = fact
            case _:
                super().__call__(fact)

    def line(self, text: str, style: str = "none", lead: str = "") -> None:
        """Write a sentence, with the time of day."""
        super().line(text, style, f"{self._now():%H:%M:%S}  {lead}")

    def named(self, job: facts.JobSubject) -> str:
        """Return what a job is called: its schedule too, since many may be active."""
        return f"{job.run.schedule}: {job.name}"

    def below(self) -> str:
        """Return what is due next, and when."""
        due = self._next
        if due.schedule is None or due.at is None:
            return ""
        left = math.ceil((due.at - self._now()).total_seconds())
        return clean(f"next: {due.schedule} {f'in {format_duration(left)}' if left > 0 else 'now'}")


class _Bars(progress.Progress):
    """The bars, and a line below them."""

    def __init__(self, console: Console, below: Callable[[], str]) -> None:
        self._below = below
        super().__init__(
            progress.SpinnerColumn("dots" if console.encoding.startswith("utf") else "line"),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=30),
            _HowFar(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.fields[message]}", style="dim", markup=False),
            console=console,
            transient=True,
            refresh_per_second=4,
            redirect_stdout=sys.stdout.isatty(),  # not what goes to a file
            redirect_stderr=sys.stderr.isatty(),
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if below := self._below():
            yield Text(below, "dim", no_wrap=True, overflow="ellipsis")


class _HowFar(progress.ProgressColumn):
    def render(self, task: progress.Task) -> Text:
        return Text(how_far(task.completed, task.total) if task.completed or task.total else "")


def _style(outcome: RunOutcome | JobOutcome) -> str:
    match outcome:
        case "succeeded":
            return "green"
        case "failed":
            return "red"
        case "stopped" | "lost" | "not run" | "no room" | "cancelled":
            return "yellow"
        case "pending":
            return "none"
        case _:
            assert_never(outcome)
