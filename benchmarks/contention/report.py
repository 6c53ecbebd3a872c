"""What is shown: a table for people, one JSON object for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ..machine import Machine
from .options import Options
from .series import Series
from .summary import Summary, summaries

SCHEMA = "leased/bench/contention/1"
_WIDTH_OF_A_FILE = 140
_COLUMNS = (
    "replicas",
    "runs/s",
    "range",
    "ratio",
    "claims",
    "empty\nclaims",
    "claim\np50 ms",
    "claim\np99 ms",
    "statements\na run",
    "commits\na run",
    "deadlocks",
    "repeats",
    "at\nrisk",
    "share",
)


@dataclass(frozen=True, slots=True)
class Report:
    """All that was measured."""

    machine: Machine
    options: Options
    series: Sequence[Series]
    left_out: Sequence[str]
    """Sentences about what could not be measured."""
    seconds: float


def as_json(report: Report) -> str:
    """Return the object; durations are in seconds."""
    document = {
        "schema": SCHEMA,
        "machine": asdict(report.machine),
        "size": {**asdict(report.options.size), "quick": report.options.quick},
        "seconds": report.seconds,
        "left_out": list(report.left_out),
        "items": [_of_database(series) for series in report.series],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def show(report: Report, console: Console | None = None) -> None:
    """Print the tables."""
    console = console or Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    machine = report.machine
    console.print(
        f"{machine.cores} cores, {machine.system}, Python {machine.python}; a page is on the disk after {_ms(machine.flush)} ms"
    )
    for series in report.series:
        console.print()
        console.print(_table(series, report.options))
        flat = series.flatness
        console.print(
            f"A claim with {flat.finished_runs:,} finished runs in the table: {_ms(flat.claim_with)} ms, "
            f"without: {_ms(flat.claim_without)} ms, ratio {flat.ratio:.2f}."
        )
    for sentence in report.left_out:
        console.print(f"\nLeft out: {sentence}")


def _of_database(series: Series) -> dict[str, Any]:
    return {
        **asdict(series.facts),
        "exactly_once": True,  # or there would be no report
        "rounds": len(series.rounds),
        "contention": [
            {**asdict(summary), "trials": [asdict(one[index]) for one in series.rounds]}
            for index, summary in enumerate(summaries(series.rounds))
        ],
        "flatness": asdict(series.flatness),
    }


def _table(series: Series, options: Options) -> Table:
    facts, size = series.facts, options.size
    settings = ", ".join(f"{name} {value}" for name, value in facts.settings.items())
    durable = "" if facts.durable else "; NOT DURABLE: a commit may be lost in a crash"
    rounds = f"median of {len(series.rounds)} rounds" if len(series.rounds) > 1 else "one round"
    made = Table(
        title=f"{facts.database} {facts.version} ({settings}{durable})\n{size.schedules:,} due schedules, up to "
        f"{size.places} in a claim, {rounds}; each ran exactly once",
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for heading in _COLUMNS:
        made.add_column(heading, justify="right", no_wrap=True)
    for summary in summaries(series.rounds):
        made.add_row(*_cells(summary))
    return made


def _cells(summary: Summary) -> tuple[str, ...]:
    return (
        str(summary.replicas),
        f"{summary.runs_per_second:.0f}",
        f"{summary.slowest_round:.0f}-{summary.fastest_round:.0f}",
        f"{summary.ratio:.2f}",
        f"{summary.claims:.0f}",
        f"{summary.empty_claims:.0f}",
        _ms(summary.claim_p50),
        _ms(summary.claim_p99),
        f"{summary.statements_per_run:.2f}",
        f"{summary.commits_per_run:.2f}",
        "-" if summary.deadlocks is None else str(summary.deadlocks),
        str(summary.tried_again),
        str(summary.at_risk),
        f"{summary.smallest_share:.2f}",
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"
