"""How a run stands, with which `leased show` and the summary of `leased run` open; the kinds of commands share no other place."""

from typing import TYPE_CHECKING

from ..store.views.history import RunLine
from ..text import clean, lasted
from .screen import for_people, say, state_cell, width_of
from .times import Times

if TYPE_CHECKING:
    from rich.console import Console


def print_verdict(console: "Console", run: RunLine, times: Times) -> None:
    """Write how a run stands and why, the last line that it printed if it failed, and the next commands."""
    title = f"run {run.run_id} of {clean(run.schedule)} ({clean(run.application)})"
    state = state_cell(run.state, f" in {lasted(run.seconds)}" if run.finished_at and run.started_at else "")
    fits = width_of(title) + 2 + state.cell_len <= console.width
    console.print(title + ("  " if fits else "\n  "), style="bold", end="", soft_wrap=True)
    console.print(state)
    if said := run.in_words(times.by_clock):
        say(console, said, lead="  ")
    if run.last_output:
        say(console, run.last_output, lead="  | ")
    if run.next and for_people():
        say(console, " / ".join(run.next), "dim", lead="  ")
