"""The summary at the end of `leased run --until-idle`."""

from rich.console import Console

from ...store.views import JobSummary, Summary
from ...text import last_line, lasted, number
from ..run_verdict import print_verdict
from ..screen import add, state_cell, table
from ..times import Times


def print_summary(console: Console, summary: Summary, times: Times) -> None:
    """Write how the run ended, and a table of its jobs."""
    console.print()
    print_verdict(console, summary.run, times)
    if not summary.jobs:
        return
    notes = [_note(job) for job in summary.jobs]
    without = [] if any(job.done is not None for job in summary.jobs) else ["done"]
    without += [] if any(notes) else ["message"]
    columns = ("job", "state", "done", "took", "message")
    jobs = table(*columns, right=("done", "took"), wraps=("message",), without=without)
    for job, note in zip(summary.jobs, notes, strict=True):
        state = state_cell(job.state, f" (attempt {job.attempts})" if job.attempts > 1 else "")
        add(jobs, job.job, state, "" if job.done is None else number(job.done), lasted(job.seconds), note)
    console.print()
    console.print(jobs)


def _note(job: JobSummary) -> str | None:
    """Return the last line of its error, otherwise its last message."""
    said = last_line(job.error)
    return said if said and job.state != "succeeded" else job.message
