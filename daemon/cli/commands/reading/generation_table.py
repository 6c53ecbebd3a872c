"""Generations that are at work beside each other, as commands show them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ....operations.generations import Changed, GenerationStanding, setting_text
from ...screen import add, say, table

if TYPE_CHECKING:
    from rich.console import Console

    from ...screen import Sheet

DIGEST_SHOWN = 12
"""How many characters of a digest are shown in a table; --json has all of them."""


def generation_table(found: Sequence[GenerationStanding]) -> "Sheet":
    """Return a table of generations, who runs each, and how it differs from the database."""
    shown = table(
        "generation",
        "application",
        "revision",
        "state",
        "run by",
        "differs",
        right=("generation", "revision"),
        wraps=("run by", "differs"),
        unless_one=("application",),
        if_any=("revision", "run by", "differs"),
    )
    for one in found:
        differs = "" if one.differs is None else str(one.differs)
        add(shown, one.number, one.application, one.revision, one.state, run_by(one), differs)
    return shown


def show_changed(console: "Console", found: Sequence[Changed]) -> None:
    """Write what a generation changed: a line for each setting."""
    console.print()
    if not found:
        say(console, "It changed no schedule that was there before, or that is not recorded.")
        return
    columns = ("schedule", "application", "how", "setting", "before", "after")
    shown = table(*columns, unless_one=("application",), wraps=("setting", "before", "after"))
    for one in found:
        for each in one.settings:
            add(
                shown,
                one.schedule,
                one.application,
                one.how,
                each.setting,
                *(setting_text(each.setting, value) for value in (each.before, each.after)),
            )
    console.print(shown)


def run_by(one: GenerationStanding) -> str:
    """Return the replicas that run it, as text; which are not ready, and what code each runs if they differ."""
    differ = len({it.release for it in one.replicas}) > 1
    said = []
    for it in one.replicas:
        marks = [*([it.release or "release not known"] if differ else []), *([] if it.is_ready else ["not ready"])]
        said.append(f"{it.host}:{it.pid}" + (f" ({', '.join(marks)})" if marks else ""))
    return ", ".join(said)


def sentences(found: Iterable[GenerationStanding]) -> list[str]:
    """Return what happens next to each, as sentences."""
    return [f"Generation {one.number} of {one.application} is {_adverb(one)}{one.next}." for one in found if one.next]


def _adverb(one: GenerationStanding) -> str:
    return f"{'standing in' if one.state == 'in lieu' else one.state}: "
