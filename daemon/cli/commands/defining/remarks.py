"""The remarks of `leased check`: what is right, and may surprise all the same."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from ....definitions.application import Application
from ....definitions.schedule import Preview, Schedule, preview_schedule
from ....definitions.triggers.wall_time import surprises
from ....scheduling.plan import waits_for_predecessor
from ....text import listed, number

_LOOKED_AT = 366
"""So many instants are looked at for one that is not excluded."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An instant at which a schedule is due; ``note`` says what daylight saving time changes about it,
    ``excluded`` which day or calendar keeps it from running.
    """

    instant: datetime
    local: str
    note: str | None
    excluded: str | None

    @classmethod
    def of(cls, coming: Preview) -> Self:
        return cls(coming.instant, coming.local.isoformat(), coming.note, coming.excluded)


def in_zone_text(coming: Preview) -> str:
    """Return a time by the clock of its time zone, with its remarks."""
    remark = remark_on(coming)
    return f"{coming.local.isoformat(sep=' ')}{f' ({remark})' if remark else ''}"


def remark_on(coming: Preview) -> str:
    """Return that a time is excluded, and what daylight saving time changes about it."""
    excluded = f"excluded: {coming.excluded}" if coming.excluded else None
    return ", ".join(filter(None, (excluded, coming.note)))


APART = "both names have history, so nothing is taken over; remove the former name from was"
"""Said of a schedule with `was`."""
_IN_A_THREAD = (
    "it runs in a thread of the replica: it cannot be killed, shares its memory, and takes the replica with it if it "
    "crashes; it must call run.ensure() regularly, or the replica exits if the job does not stop in time"
)
_NAMED = 3
"""So many schedules one sentence names."""
_LISTED = 10
"""So many subjects one warning names."""
Code = Literal[
    "all-excluded",
    "cron-days",
    "disabled",
    "import-effects",
    "left-behind",
    "never-due",
    "no-folder",
    "no-retention",
    "no-timeout",
    "no-timezone",
    "not-checked",
    "thread",
    "unreached-timeout",
    "unused-slots",
    "was",
    "was-apart",
]
"""One for each cause, by which people look it up: a code stays as it is."""
NOTES: frozenset[Code] = frozenset({"disabled", "thread", "was"})
"""The codes of notes, about something that somebody wrote on purpose: `--strict` ignores them."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark about a job, or about its schedule or FILE as a whole."""

    code: Code
    text: str
    job: str | None = None

    @property
    def in_words(self) -> str:
        return self.text if self.job is None else f"job {self.job}: {self.text}"


def together(of_schedules: Iterable[tuple[str, Remark]], of_file: Iterable[Remark]) -> Iterator[tuple[Code, str]]:
    """Yield each remark once, with all schedules and jobs that it is about, and its code."""
    about: dict[tuple[Code, str], dict[str, list[str]]] = {}
    for schedule, remark in of_schedules:
        jobs = about.setdefault((remark.code, remark.text), {}).setdefault(schedule, [])
        jobs += [] if remark.job is None else [remark.job]
    for (code, text), schedules in about.items():
        names = [f"{name} ({', '.join(jobs)})" if jobs else name for name, jobs in schedules.items()]
        yield code, f"{listed(names, _LISTED)}: {text}"
    yield from ((remark.code, remark.text) for remark in of_file)


def file_remarks(application: Application, left: str | None) -> Iterator[Remark]:
    """Yield what may surprise in a FILE as a whole, which leaves ``left`` behind when it is loaded."""
    if left is not None and any(job.isolation == "process" for each in application.schedules for job in each.jobs):
        yield Remark(
            "import-effects",
            f"{application.source.name} leaves {left} behind when it is loaded, so each child process of a "
            "function loads it again, which takes more time and memory; do this in the job that needs it, or "
            "clean up at the end of the file (close a connection, dispose of an engine)",
        )
    if unbounded := [schedule.name for schedule in application.schedules if schedule.keep is None]:
        of = "" if len(unbounded) == len(application.schedules) else f" for {listed(unbounded, _NAMED)}"
        limit = "keep = { days = 90, runs = 500 }"
        yield Remark("no-retention", f"no retention set{of}; history grows without limit. Add {limit}")
    sharing = Counter(schedule.lock for schedule in application.schedules)
    for schedule in application.schedules:
        is_alone = schedule.lock is not None and schedule.lock.slots > 1 == sharing[schedule.lock]
        if is_alone and waits_for_predecessor(schedule.overlap):
            alone = f"{schedule.name} alone has the lock {schedule.lock}"
            serial = f'with overlap = "{schedule.overlap}" one run at a time, so it needs only one slot'
            yield Remark("unused-slots", f'{alone}, and {serial}; overlap = "allow" would use all of them')


def remarks_on(schedule: Schedule, now: datetime, folder: Path) -> Iterator[Remark]:
    """Yield what may surprise in a schedule of a FILE in ``folder``."""
    if schedule.cron is not None:
        if not schedule.says("timezone"):
            yield Remark("no-timezone", "it has no timezone, so it uses UTC")
        yield from (Remark("cron-days", text) for text in surprises(schedule.cron))
    for job in schedule.jobs:
        limit = schedule.run_timeout
        if job.timeout is None and limit is None and schedule.stall_after is None:
            yield Remark("no-timeout", "no timeout; a job that hangs blocks its schedule until you stop it", job.name)
        if job.timeout is not None and limit is not None and job.timeout > limit:
            longer = "its timeout is never reached, because run_timeout, which covers all jobs together, is shorter"
            yield Remark("unreached-timeout", longer, job.name)
        if job.isolation == "thread":
            yield Remark("thread", _IN_A_THREAD, job.name)
    for job in schedule.jobs:
        if job.cwd is not None and not (folder / job.cwd).is_dir():
            yield Remark("no-folder", f"its cwd {job.cwd} does not exist on this machine", job.name)
    if not schedule.enabled:
        yield Remark("disabled", "it is disabled, so it is never due")
    elif not schedule.on_request and next(schedule.instants(now, now), None) is None:
        yield Remark("never-due", "it has no further scheduled time")
    coming = preview_schedule(schedule, now, _LOOKED_AT) if schedule.exclude else ()
    if coming and all(one.excluded for one in coming):
        many = f"each of the next {number(len(coming))} scheduled times"
        what = "the only scheduled time left" if len(coming) == 1 else many
        yield Remark("all-excluded", f"exclude keeps {what} from running")
