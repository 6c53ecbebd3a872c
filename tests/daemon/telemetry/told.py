"""The facts of one run that fails, as a replica reports them."""

from daemon.telemetry.facts import (
    Fact,
    JobEnded,
    JobPrinted,
    JobProgressed,
    JobStarted,
    JobSubject,
    Note,
    RunEnded,
    RunStarted,
    RunSubject,
)

RUN = RunSubject("shop", "nightly", run_id=7, token=3, replica="web1:4711")
JOB = JobSubject(RUN, "zones", attempt=2)


def told() -> list[Fact]:
    """A run with one job, from its start to its failure, and a last word."""
    return [
        RunStarted(RUN),
        JobStarted(JOB),
        JobProgressed(JOB, 1200, 5000, "Europe/Berlin"),
        JobPrinted(JOB, ("\x1b[31mred\x1b]0;title\x07",)),
        JobEnded(JOB, "failed", 1.5, "Traceback\nValueError: oh"),
        RunEnded(RUN, "failed", "zones failed", 2.0),
        Note("bye", is_warning=True),
    ]
