"""What the definition of a schedule says, in ordinary words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from lease.durations import format_duration

from ...definitions.schedule import CatchUp, Overlap, Schedule
from ...text import counted, listed, shortened, target_text

_MOST = 4
"""So many jobs, tags or targets are named."""
_OVERLAPS: dict[Overlap, str] = {
    "skip": "skip",
    "queue": "queue: one after the other",
    "replace": "replace: the newer run",
    "allow": "allow: side by side",
}
_CATCH_UPS: dict[CatchUp, str] = {
    "skip": "runs none of what it missed",
    "latest": "runs the latest",
    "all": "runs all that it missed",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact, as parts of a text: each with where it leads below the root, if it does."""

    label: str
    parts: Sequence[tuple[str, str | None]]


def facts_of(schedule: Schedule, jobs: Sequence[dict[str, Any]], text: str) -> list[Fact]:
    """Return what a definition says beyond when it is due; ``text`` is that of the timing."""
    found = [Fact(label, [(one, None)]) for label, one in _of_runs(schedule, jobs) if one]
    if schedule.lock is not None:
        slots = f" ({schedule.lock.slots} slots)" if schedule.lock.slots > 1 else ""
        found.append(Fact("Lock", [(schedule.lock.name, _where("fleet", lock=schedule.lock.name)), (slots, None)]))
    if schedule.tags:
        shown = [(tag, _where("", tag=tag)) for tag in schedule.tags[:_MOST]]
        more = [(f"and {len(schedule.tags) - _MOST} more", None)] if len(schedule.tags) > _MOST else []
        found.append(Fact("Tags", [one for each in [*shown, *more] for one in (each, (" ", None))][:-1]))
    return [Fact("When", [(text, None)]), *found]


def _of_runs(schedule: Schedule, jobs: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    is_timed = not schedule.on_request
    yield "Overlap", _OVERLAPS[schedule.overlap]
    yield "After downtime", _CATCH_UPS[schedule.catch_up] if is_timed else ""
    yield "Start within", _duration(schedule.start_within)
    yield "Finish by", _finish_by(schedule.finish_by)
    yield "Not run on", _excluded(schedule)
    yield "Timeout", _timeout(schedule, jobs)
    yield "Retries", _of_jobs(jobs, "retries", str)
    yield "Stopped without progress", _after(schedule.stall_after)
    yield "Jitter", f"up to {_duration(schedule.jitter)}" if schedule.jitter else ""
    yield "Priority", schedule.priority if schedule.priority != "normal" else ""
    yield "After a failed job", "the others still run" if schedule.on_failure == "continue" and len(jobs) > 1 else ""
    yield "Messages go to", _targets(schedule)
    yield "Kept", _kept(schedule)


def _finish_by(value: float | str | None) -> str:
    return value if isinstance(value, str) else f"{_duration(value)} after it is due" if value is not None else ""


def _excluded(schedule: Schedule) -> str:
    return listed([name for one in schedule.exclude for name in ([one.name] if one.name else one.days)], _MOST)


def _timeout(schedule: Schedule, jobs: Sequence[dict[str, Any]]) -> str:
    own = _of_jobs(jobs, "timeout", _duration)
    whole = f"{_duration(schedule.run_timeout)} in all" if schedule.run_timeout is not None else ""
    return ", ".join(filter(None, (own, whole))) or "none"


def _of_jobs(jobs: Sequence[dict[str, Any]], setting: str, text: Any) -> str:
    """Return what jobs say: only once if all say the same, otherwise by their names."""
    given = [(str(job.get("name")), job.get(setting)) for job in jobs]
    if len({str(value) for _, value in given}) == 1:
        return text(given[0][1]) if given[0][1] else ""
    return listed([f"{shortened(name, 40)} {text(value)}" for name, value in given if value], _MOST)


def _targets(schedule: Schedule) -> str:
    return listed([shortened(target_text(one.address), 60) for one in schedule.targets], _MOST)


def _kept(schedule: Schedule) -> str:
    keep = schedule.keep or {}
    days, runs = keep.get("days"), keep.get("runs")
    parts = [counted(days, "day") if days else "", counted(runs, "run") if runs else ""]
    return " and ".join(filter(None, parts))


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else format_duration(seconds)


def _after(seconds: float | None) -> str:
    return "" if seconds is None else f"after {_duration(seconds)}"


def _where(page: str, **query: str) -> str:
    return f"{page}?{urlencode(query)}"
