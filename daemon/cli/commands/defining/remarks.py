"""The remarks of `leased check`: what is right, and may surprise all the same."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ....definitions.application import Application
from ....definitions.job import Job
from ....definitions.schedule import Schedule
from ....definitions.triggers.surprises import surprises
from ....scheduling.plan import waits_for_predecessor
from ....shared_lock import SharedLock
from ....text import number
from .occurrences import excluded_remarks

APART = "both names have history, so nothing is taken over; remove the former name from was"
"""Said of a schedule with `was`."""
_NAMED = 3
"""So many schedules one sentence names."""


def file_remarks(application: Application, left: str | None) -> Iterator[str]:
    """Yield what may surprise in a FILE as a whole, which leaves ``left`` behind when it is loaded."""
    if left is not None and any(job.isolation == "process" for each in application.schedules for job in each.jobs):
        yield (
            f"{application.source.name} leaves {left} behind when it is loaded, so each child process of a "
            "function loads it again, which takes more time and memory; do this in the job that needs it, or "
            "clean up at the end of the file (close a connection, dispose of an engine)"
        )
    if unbounded := [schedule.name for schedule in application.schedules if schedule.keep is None]:
        named = ", ".join(unbounded[:_NAMED]) + (
            f" and {number(more)} more" if (more := len(unbounded) - _NAMED) > 0 else ""
        )
        of = "" if len(unbounded) == len(application.schedules) else f" for {named}"
        yield f"no retention set{of}; history grows without limit. Add keep = {{ days = 90, runs = 500 }}"
    sharing = Counter(schedule.lock for schedule in application.schedules)
    for schedule in application.schedules:
        if schedule.lock is not None and schedule.lock.slots > 1 == sharing[schedule.lock]:
            yield from _unused_slots(schedule, schedule.lock)


def _unused_slots(schedule: Schedule, lock: SharedLock) -> Iterator[str]:
    if waits_for_predecessor(schedule.overlap):
        yield (
            f'{schedule.name} alone has the lock {lock}, and with overlap = "{schedule.overlap}" one run at a time, '
            'so it needs only one slot; overlap = "allow" would use all of them'
        )


def remarks_on(schedule: Schedule, now: datetime, folder: Path) -> list[str]:
    """Return what may surprise in a schedule of a FILE in ``folder``."""
    remarks = (
        ["it has no timezone, so it uses UTC"] if schedule.cron is not None and not schedule.says("timezone") else []
    )
    remarks += surprises(schedule.cron) if schedule.cron is not None else []
    remarks += [remark for job in schedule.jobs for remark in _job_remarks(schedule, job)]
    remarks += [
        f"job {job.name} should run in {job.cwd}, but this machine has no such folder"
        for job in schedule.jobs
        if job.cwd is not None and not (folder / job.cwd).is_dir()
    ]
    if not schedule.enabled:
        remarks.append("it is disabled, so it is never due")
    elif not schedule.on_request and next(schedule.instants(now, now), None) is None:
        remarks.append("it has no further scheduled time")
    remarks += excluded_remarks(schedule, now)
    return remarks


def _job_remarks(schedule: Schedule, job: Job) -> Iterator[str]:
    limit = schedule.run_timeout
    if job.timeout is None and limit is None and schedule.stall_after is None:
        yield f"job {job.name} has no timeout: if it hangs, it blocks the schedule until you stop it"
    if job.timeout is not None and limit is not None and job.timeout > limit:
        yield f"job {job.name} never reaches its timeout: run_timeout, which covers all jobs together, is shorter"
    if job.isolation == "thread":
        yield (
            f"job {job.name} runs in a thread of the replica: it cannot be killed, shares its memory, and takes the "
            "replica with it if it crashes; it must call run.ensure() regularly, or the replica exits if the job "
            "does not stop in time"
        )
