"""The medians over the rounds, and each number of replicas against one replica of the same round."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from .series import Round
from .trial import Trial


@dataclass(frozen=True, slots=True)
class Summary:
    """Medians of so many replicas over all rounds; what must not be (deadlocks, failures) is summed up. Durations are in seconds."""

    replicas: int
    runs_per_second: float
    slowest_round: float
    fastest_round: float
    ratio: float
    """Runs a second, against 1 replica in the same round; the median."""
    claims: float
    empty_claims: float
    claim_p50: float
    claim_p99: float
    statements_per_run: float
    commits_per_run: float
    smallest_share: float
    deadlocks: int | None
    tried_again: int
    at_risk: int


def summaries(rounds: Sequence[Round]) -> list[Summary]:
    """Return one for each number of replicas."""
    return [_summary([one[index] for one in rounds], [one[0] for one in rounds]) for index in range(len(rounds[0]))]


def _summary(trials: Sequence[Trial], yardsticks: Sequence[Trial]) -> Summary:
    def middle(figure: Callable[[Trial], float]) -> float:
        return median(figure(trial) for trial in trials)

    speeds = [trial.runs_per_second for trial in trials]
    deadlocks = [trial.deadlocks for trial in trials if trial.deadlocks is not None]
    return Summary(
        replicas=trials[0].replicas,
        runs_per_second=median(speeds),
        slowest_round=min(speeds),
        fastest_round=max(speeds),
        ratio=median(speed / one.runs_per_second for speed, one in zip(speeds, yardsticks, strict=True)),
        claims=middle(lambda trial: trial.claims),
        empty_claims=middle(lambda trial: trial.empty_claims),
        claim_p50=middle(lambda trial: trial.claim_p50),
        claim_p99=middle(lambda trial: trial.claim_p99),
        statements_per_run=middle(lambda trial: trial.statements_per_run),
        commits_per_run=middle(lambda trial: trial.commits_per_run),
        smallest_share=middle(lambda trial: trial.smallest_share),
        deadlocks=sum(deadlocks) if deadlocks else None,
        tried_again=sum(trial.tried_again for trial in trials),
        at_risk=sum(trial.at_risk for trial in trials),
    )
