"""The summary at the end of `leased run --until-idle`."""

from rich.console import Console

from ...store.views import Summary
from ...text import clean, last_line, lasted, number
from ..screen import add, state_cell, state_style, table


def print_summary(console: Console, summary: Summary) -> None:
    """Write a table of the jobs and a line about the run."""
    done = ["done"] if any(job.done is not None for job in summary.jobs) else []
    jobs = table("job", "state", *done, "seconds", "", right=("done", "seconds"), wraps=("",))
    for job in summary.jobs:
        state = state_cell(job.state, f" (attempt {job.attempts})" if job.attempts > 1 else "")
        said = last_line(job.error)
        note = said if said and job.state != "succeeded" else job.message
        far = ["" if job.done is None else number(job.done)] if done else []
        add(jobs, job.job, state, *far, f"{job.seconds:.2f}", note)
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
