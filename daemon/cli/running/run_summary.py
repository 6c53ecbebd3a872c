"""The summary at the end of `leased run --until-idle`."""

from rich.console import Console

from ...store.views import JobSummary, Summary
from ...text import clean, last_line, lasted, number
from ..screen import add, state_cell, state_style, table


def print_summary(console: Console, summary: Summary) -> None:
    """Write a table of the jobs and a line about the run."""
    notes = [_note(job) for job in summary.jobs]
    without = [] if any(job.done is not None for job in summary.jobs) else ["done"]
    without += [] if any(notes) else ["message"]
    columns = ("job", "state", "done", "seconds", "message")
    jobs = table(*columns, right=("done", "seconds"), wraps=("message",), without=without)
    for job, note in zip(summary.jobs, notes, strict=True):
        state = state_cell(job.state, f" (attempt {job.attempts})" if job.attempts > 1 else "")
        done = "" if job.done is None else number(job.done)
        add(jobs, job.job, state, done, f"{job.seconds:.2f}", note)
    console.print()
    console.print(jobs)
    reason = f" ({summary.reason})" if summary.reason else ""
    took = f" in {lasted(summary.seconds)}" if summary.seconds is not None else ""
    parts = [
        f"{summary.schedule}: {summary.state}{reason}{took}",
        f"run {summary.run_id}",
        f"token {summary.token}" if summary.token is not None else "never claimed",
        f"holder {summary.holder}" if summary.holder else "",
    ]
    console.print(clean(", ".join(filter(None, parts))), style=f"bold {state_style(summary.state)}", soft_wrap=True)


def _note(job: JobSummary) -> str | None:
    """Return the last line of its error, otherwise its last message."""
    said = last_line(job.error)
    return said if said and job.state != "succeeded" else job.message
