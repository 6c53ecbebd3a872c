"""What is told of a campaign of random mutants."""

from collections.abc import Sequence
from typing import Any

from tests.mutants.random.trial import Trial


def table(trials: Sequence[Trial], reasons: Sequence[str | None]) -> str:
    """Return a line for each mutant, those that survived last, and the sum."""
    caught = [trial for trial in trials if trial.by is not None]
    lines = [f"{trial.drawn.place}  {trial.drawn.mutation.what}: {trial.by}" for trial in caught]
    for trial, reason in zip(trials, reasons, strict=True):
        if trial.by is None:
            said = f"equivalent: {reason}" if reason else f"SURVIVED {trial.tests} tests"
            lines += [
                f"{trial.drawn.place}  {trial.drawn.mutation.what}: {said}",
                f"    - {trial.drawn.was}",
                f"    + {trial.drawn.now}",
            ]
    equivalent = sum(1 for reason in reasons if reason)
    survived = len(trials) - len(caught) - equivalent
    seconds = sum(trial.seconds for trial in trials)
    lines.append(
        f"{len(trials)} mutants: {len(caught)} caught, {equivalent} equivalent, {survived} survived ({seconds:.0f} s)"
    )
    return "\n".join(lines)


def as_json(trials: Sequence[Trial], reasons: Sequence[str | None]) -> list[dict[str, Any]]:
    """Return the same for programs."""
    return [
        {
            "place": trial.drawn.place,
            "what": trial.drawn.mutation.what,
            "was": trial.drawn.was,
            "now": trial.drawn.now,
            "caught_by": trial.by,
            "equivalent": reason,
            "tests": trial.tests,
            "seconds": round(trial.seconds, 1),
        }
        for trial, reason in zip(trials, reasons, strict=True)
    ]
