"""The end of `leased run --until-idle`: what ran, for a person."""

from rich.console import Console

from ..store.views import Summary
from ..text import clean, last_line, lasted, number
from .screen import add, table


def print_summary(console: Console, summary: Summary) -> None:
    """Write a table of the jobs and a closing line."""
    jobs = table("job", "state", "rows", "seconds", "", title=None, right=("rows", "seconds"))
    for job in summary.jobs:
        state = job.state if job.attempts <= 1 else f"{job.state} (attempt {job.attempts})"
        said = last_line(job.error)
        note = said if said and job.state != "succeeded" else job.message
        add(jobs, job.job, state, "" if job.done is None else number(job.done), f"{job.seconds:.2f}", note)
    console.print()
    console.print(jobs)
    reason = f" ({summary.reason})" if summary.reason else ""
    parts = [
        f"{summary.schedule}: {summary.state}{reason} in {lasted(summary.seconds) or 'no time'}",
        f"run {summary.run_id}",
        f"token {summary.token}" if summary.token is not None else "never claimed",
        f"holder {summary.holder}" if summary.holder else "",
    ]
    style = "bold green" if summary.state == "succeeded" else "bold red" if summary.state == "failed" else "bold"
    console.print(clean(", ".join(filter(None, parts))), style=style, soft_wrap=True)
