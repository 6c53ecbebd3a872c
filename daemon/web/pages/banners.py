"""The lines under the header: no replica is running, schedules are paused together, a deploy is under way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from ...answers.status import StatusFound
from ...operations.generations import who_runs
from ...store.views.overview import ScheduleLine
from ...store.views.replicas import ReplicaLine
from ...text import counted, listed

_MANY = 5
"""So many schedules, or all of an application, that somebody paused together are worth a line."""
_MOST = 5


@dataclass(frozen=True, slots=True)
class Banner:
    """One line: what is so, since when, and by whom."""

    id: str
    glyph: str
    lead: str
    text: str
    since: datetime | None = None
    by: str | None = None
    until: datetime | None = None
    command: str | None = None
    """What to type."""
    is_bad: bool = False


def banners(status: StatusFound) -> list[Banner]:
    """Return what is so of the fleet as a whole, the most serious first."""
    return [*_nobody(status), *_paused(status), *_deploys(status)]


def _nobody(status: StatusFound) -> Iterator[Banner]:
    if not status.living:
        lead = "No replica is running, so nothing starts." if status.last_alive else "No replica has run yet."
        yield Banner("nobody", "stalled", lead, "Start one:", status.last_alive, command="leased run FILE", is_bad=True)


def _paused(status: StatusFound) -> Iterator[Banner]:
    overview = status.overview
    for application, lines in groupby(overview.schedules, key=lambda line: line.application):
        schedules = list(lines)
        paused = [line for line in schedules if line.paused_at is not None]
        for (by, why), group in _together(paused):
            if len(group) < 2 or (len(group) < _MANY and len(group) < len(schedules)):
                continue
            names = {line.schedule for line in group}
            running = sum(run.application == application and run.schedule in names for run in overview.running)
            until = [line.paused_until for line in group if line.paused_until is not None]
            all_of = "All " if len(group) == len(schedules) else ""
            yield Banner(
                f"paused-{application}-{min(names)}",
                "paused",
                f"{all_of}{counted(len(group), 'schedule')} of {application} are paused.",
                (f"Why: {why}. " if why else "")
                + "Their scheduled times are skipped; runs that you request still start"
                + (
                    f", and {counted(running, 'run')} in progress {'continues' if running == 1 else 'continue'}."
                    if running
                    else "."
                ),
                min(line.paused_at for line in group if line.paused_at is not None),
                by,
                max(until) if len(until) == len(group) else None,
            )


def _together(paused: Sequence[ScheduleLine]) -> list[tuple[tuple[str, str], list[ScheduleLine]]]:
    def act(line: ScheduleLine) -> tuple[str, str]:
        return line.paused_by or "", line.paused_why or ""

    return [(key, list(group)) for key, group in groupby(sorted(paused, key=act), key=act)]


def _deploys(status: StatusFound) -> Iterator[Banner]:
    of_generations = set()
    for application, group in groupby(status.generations, key=lambda one: one.application):
        lived = [one for one in group if one.replicas]
        if len(lived) > 1:
            of_generations.add(application)
            newest = max(lived, key=lambda one: one.number)
            text = f"{who_runs(lived)}."
            yield Banner(
                f"deploy-{application}", "deploy", "Deploy under way:", text, newest.came_at, newest.brought_by
            )
    living = sorted(status.living, key=_release)
    for application, replicas in groupby(
        sorted(living, key=lambda one: one.application), key=lambda one: one.application
    ):
        releases = [(release, list(group)) for release, group in groupby(replicas, key=_release)]
        if len(releases) > 1 and application not in of_generations:
            said = "; ".join(
                f"release {release} on {listed([f'{one.host}:{one.pid}' for one in ran], _MOST)}"
                for release, ran in releases
            )
            newest_start = max(min(one.started_at for one in ran) for _, ran in releases)
            yield Banner(f"deploy-{application}", "deploy", "Deploy under way:", f"{said}.", newest_start)


def _release(line: ReplicaLine) -> str:
    return line.release or "not known"
