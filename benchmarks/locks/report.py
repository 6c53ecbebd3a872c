"""The report of a benchmark of locks: tables for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from ..machine import Machine
from .alternation import Measured
from .waiters import HandOvers

SCHEMA = "leased/bench/locks/1"
_WIDTH_OF_A_FILE = 110


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one run of the benchmark. Durations are in seconds."""

    machine: Machine
    measured: Mapping[str, Sequence[Measured]]
    hand_overs: Sequence[HandOvers]
    left_out: str | None
    """A sentence about what could not be measured."""


def show(report: Report) -> None:
    """Print the tables."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    machine = report.machine
    console.print(
        f"{machine.cores} cores, {machine.system}, Python {machine.python}; "
        f"a page is on the disk after {machine.flush * 1000:.1f} ms"
    )
    for title, measured in report.measured.items():
        console.print(_of_measured(title, measured))
    if report.hand_overs:
        console.print(_of_hand_overs(report.hand_overs))
    if report.left_out:
        console.print(f"Left out: {report.left_out}")


def _of_measured(title: str, measured: Sequence[Measured]) -> Table:
    made = _table(title, "", "median ms", "ratio", "to")
    for one in measured:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        made.add_row(one.name, f"{one.seconds * 1000:.2f}", ratio, one.yardstick or "")
    return made


def _of_hand_overs(hand_overs: Sequence[HandOvers]) -> Table:
    first = hand_overs[0].trial
    title = f"{first.waiters} waiters, {first.seconds:g} s; each holds it for 1 ms"
    made = _table(title, "", "processes", "hand-overs/s", "turns", "overtaken", "commits each")
    for one in hand_overs:
        made.add_row(
            one.trial.kind,
            str(one.trial.processes),
            f"{one.per_second:.0f}",
            f"{one.fewest}-{one.most}",
            f"{one.overtaken:.1%}",
            "-" if one.commits is None else f"{one.commits:.1f}",
        )
    return made


def _table(title: str, *headings: str) -> Table:
    made = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        made.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    return made
