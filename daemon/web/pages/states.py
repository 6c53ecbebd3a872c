"""The states of schedules, runs and attempts as the pages show them: a word, a glyph and a tone, always all three."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from ...states import JobState, RunState

Tone = Literal["ok", "fail", "run", "warn", "crash", "idle"]
Standing = Literal[
    "failing", "late", "stuck", "long", "skipping", "missed", "paused", "running", "waiting", "backfill", "ok", "new"
]
"""How a schedule stands."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A state for reading."""

    word: str
    glyph: str
    tone: Tone


RUNS: Mapping[RunState, Shown] = {
    "pending": Shown("waiting", "waiting", "run"),
    "running": Shown("running", "running", "run"),
    "succeeded": Shown("succeeded", "ok", "ok"),
    "failed": Shown("failed", "failed", "fail"),
    "cancelled": Shown("cancelled", "cancelled", "idle"),
    "skipped": Shown("skipped", "skipped", "idle"),
}
MISSED = Shown("missed", "missed", "warn")
ATTEMPTS: Mapping[JobState, Shown] = {
    "running": RUNS["running"],
    "succeeded": RUNS["succeeded"],
    "failed": RUNS["failed"],
    "abandoned": Shown("crashed", "crashed", "crash"),
    "stopped": Shown("handed over", "hand", "idle"),
    "not started": Shown("not started", "new", "idle"),
}
SCHEDULES: Mapping[Standing, Shown] = {
    "failing": Shown("failing", "failed", "fail"),
    "late": Shown("late", "late", "warn"),
    "stuck": Shown("stuck", "stalled", "warn"),
    "long": Shown("long", "long", "warn"),
    "skipping": Shown("skipping", "thinned", "warn"),
    "missed": MISSED,
    "paused": Shown("paused", "paused", "idle"),
    "running": RUNS["running"],
    "waiting": RUNS["pending"],
    "backfill": Shown("backfill", "backfill", "run"),
    "ok": Shown("on time", "ok", "ok"),
    "new": Shown("never ran", "new", "idle"),
}
"""The worst first: a schedule shows one glyph, that of its worst state."""
WORST_FIRST: Mapping[Standing, int] = {standing: number for number, standing in enumerate(SCHEDULES)}
BROKEN: Collection[Standing] = ("failing", "late", "stuck", "long", "skipping", "missed")
"""The states of a schedule that somebody should look at."""


def of_run(state: RunState, reason: str | None = None) -> Shown:
    """Return the state of a run; of one that was skipped with the reason: ``skipped: overlap``."""
    if state == "skipped" and reason is not None:
        return MISSED if reason == "missed" else Shown(f"skipped: {reason}", "skipped", "idle")
    return RUNS[state]


def worst(standings: Collection[Standing]) -> Standing:
    """Return the worst of the states of a schedule."""
    return min(standings, key=WORST_FIRST.__getitem__, default="ok")
