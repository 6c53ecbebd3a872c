"""The table of `leased runs`: a row for each run, and at a terminal one for skipped runs of one cause."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ....store.views import RunLine
from ....text import counted, lasted, number
from ...screen import Sheet, add, for_people, state_cell, table
from ...times import Times


def runs_table(found: Sequence[RunLine], times: Times, *, wide: bool) -> Sheet:
    """Return the table; started and token are shown only if it is ``wide``."""
    shown = table(
        *("run", "schedule", "application", "due", "state", "took", "try", "started", "token", "reason"),
        right=("run", "took", "token"),
        wraps=("reason",),
        spare=() if wide else ("took", "try"),
        unless_one=("application",),
        if_any=("reason",),
        without=() if wide else ("started", "token"),
    )
    for alike in _folded(found, times) if for_people() else ([run] for run in found):
        run, count = alike[0], sum(one.count for one in alike)
        cells = (
            _numbers([one.run_id for one in alike]),
            run.schedule,
            run.application,
            _due(alike, times),
            state_cell(run.state, f" x{number(count)}" if count > 1 else ""),
            lasted(run.seconds),
            tries(run),
            times(run.started_at),
            run.token,
            _reason(run, times),
        )
        add(shown, *cells)
    return shown


def tries(run: RunLine) -> str:
    """Return how often a run was started, and how many of its attempts crashed: ``2 (1 crash)``."""
    crashes = f" ({counted(run.crashes, 'crash', 'crashes')})" if run.crashes else ""
    return f"{run.attempt}{crashes}" if run.attempt else ""


def _folded(found: Iterable[RunLine], times: Times) -> Iterator[list[RunLine]]:
    """Yield runs; adjacent skipped runs of one schedule and cause are together."""
    for skipped, block in groupby(found, key=lambda run: run.state == "skipped"):
        together: dict[object, list[RunLine]] = {}
        for run in block:
            key = (run.application, run.schedule, run.in_words(times.by_clock)) if skipped else run.run_id
            together.setdefault(key, []).append(run)
        yield from together.values()


def _numbers(runs: Sequence[int]) -> str:
    """Return the numbers of runs, given latest first, as ``2-4``, or ``2…6`` if others are between."""
    if len(runs) == 1:
        return str(runs[0])
    return f"{runs[-1]}{'-' if runs[0] - runs[-1] == len(runs) - 1 else '…'}{runs[0]}"


def _due(alike: Sequence[RunLine], times: Times) -> str:
    first = times(alike[-1].scheduled_for)
    last = times(alike[0].last_scheduled_for or alike[0].scheduled_for)
    if first == last:
        return first
    if first.endswith(" ago") and last.endswith(" ago"):
        return f"{last.removesuffix(' ago')}-{first}"
    return f"{first} to {last}"


def _reason(run: RunLine, times: Times) -> str:
    return "; ".join(filter(None, (run.in_words(times.by_clock), run.last_output, run.retries_in_words)))
