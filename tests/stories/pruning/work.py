"""The work of replicas: runs that are requested together, and again as soon as those before are over."""

from collections.abc import Sequence
from statistics import mean, median
from typing import Self

from sqlalchemy import create_engine, exists, select

from daemon.operations.trigger import trigger
from daemon.store.tables import run
from lease.database.dialects import seconds_between
from tests.support.replicas import Story
from tests.support.waiting import wait_until

from .history import APPLICATION, name_of

AT_ONCE = 9
"""Runs that are requested at one moment: three for each replica."""
_UNFINISHED = select(exists().where(run.c.state.in_(["pending", "running"])))


class Claims:
    """For how many seconds runs that might start waited until they were claimed, in rounds."""

    def __init__(self) -> None:
        self.rounds: list[list[float]] = []

    def add(self, seconds: Sequence[float]) -> None:
        self.rounds.append([*seconds])

    @property
    def mean(self) -> float:
        return mean(one for seconds in self.rounds for one in seconds)

    def share(self, share: float) -> float:
        """Return the least time that this share of them does not exceed."""
        ordered = sorted(one for seconds in self.rounds for one in seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def against(self, others: Self) -> float:
        """Return how many times as long they took as others, with which they were measured in turns: the median of
        the rounds.
        """
        return median(mean(these) / mean(those) for these, those in zip(self.rounds, others.rounds, strict=False))

    def __str__(self) -> str:
        number = sum(map(len, self.rounds))
        of = (
            f"mean {1000 * self.mean:.1f} ms, p50 {1000 * self.share(0.5):.1f} ms, p95 {1000 * self.share(0.95):.1f} ms"
        )
        return f"{number:,} claims, {of}"


class Work:
    """The work of a story, by way of one connection."""

    def __init__(self, story: Story, schedules: int) -> None:
        self.runs = 0
        """So many were requested until now."""
        self._schedules = schedules
        self._engine = create_engine(story.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def measure(self, rounds: int) -> list[float]:
        """Let runs be executed, so many rounds of them; return for how many seconds each waited for its claim."""
        ids = [run_id for _ in range(rounds) for run_id in self._round()]
        waited = select(seconds_between(run.c.available_at, run.c.started_at), run.c.state)
        with self._engine.connect() as connection:
            rows = connection.execute(waited.where(run.c.id >= ids[0], run.c.id <= ids[-1])).all()
        assert [state for _, state in rows] == ["succeeded"] * len(ids)
        return [seconds for seconds, _ in rows]

    def _round(self) -> list[int]:
        names = sorted({name_of((self.runs + number) % self._schedules) for number in range(AT_ONCE)})
        self.runs += len(names)
        with self._engine.begin() as connection:
            ids = [trigger(connection, APPLICATION, name, requested_by="a test") for name in names]
        wait_until(self._is_over, "these runs are over")
        return ids

    def _is_over(self) -> bool:
        with self._engine.connect() as connection:
            return not connection.scalar(_UNFINISHED)
