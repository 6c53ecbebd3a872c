"""`leased audit`: does the history keep what is promised?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import typer

from ...audit import Promise, Violation, check
from ...audit.history.tables import BOUNDS, History, history, read_tables
from ...text import clean, number, when
from ..ask import ask
from ..failures import FAILED
from ..options import Application, Database, Json
from ..screen import screen, write_json

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")
PATIENCE = 300.0
"""Seconds that reading the whole history may take."""
SHOWN = 100
"""How many violations people are shown; --json has them all."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation, and where to look."""

    promise: Promise
    what: str
    schedules: tuple[str, ...]
    runs: tuple[int, ...]
    leases: tuple[str, ...]


def audit(database: Database = None, application: Application = None, as_json: Json = False) -> None:
    """Checks the whole history against what is promised; exit status 1 if it breaks a promise."""
    tables = ask(database, lambda connection: read_tables(connection, application), patience=PATIENCE)
    told = history(tables)
    found = check(told.facts, BOUNDS)
    if as_json:
        write_json(
            "audit",
            {
                "database_time": told.at,
                "ok": not found,
                "since": told.since,
                "schedules": told.schedules,
                "runs": told.runs,
                "instants": told.instants,
                "grants": told.grants,
                "remarks": told.remarks,
                "items": [_finding(violation) for violation in found],
            },
        )
    else:
        _show(screen(), told, found)
    if found:
        raise typer.Exit(FAILED)


def _show(console: "Console", told: History, found: Sequence[Violation]) -> None:
    console.print(f"{_checked(told)}: {_verdict(len(found))}", soft_wrap=True)
    for violation in found[:SHOWN]:
        console.print(clean(str(violation)), soft_wrap=True)
    if len(found) > SHOWN:
        console.print(f"and {number(len(found) - SHOWN)} more; --json has them all")
    for remark in told.remarks:
        console.print(clean(remark), style="dim", soft_wrap=True)


def _checked(told: History) -> str:
    counts = {"schedule": told.schedules, "run": told.runs, "due instant": told.instants, "grant": told.grants}
    checked = ", ".join(f"{number(count)} {what}{'' if count == 1 else 's'}" for what, count in counts.items())
    return checked + (f" since {when(told.since)}" if told.since else "")


def _verdict(found: int) -> str:
    if not found:
        return "every promise is kept"
    return f"{number(found)} violation{'' if found == 1 else 's'}"


def _finding(violation: Violation) -> Finding:
    return Finding(
        violation.promise,
        violation.what,
        _each(getattr(fact, "schedule", None) for fact in violation.facts),
        _each(getattr(fact, "run", None) for fact in violation.facts),
        _each(getattr(getattr(fact, "grant", fact), "name", None) for fact in violation.facts),
    )


def _each(values: Iterable[T | None]) -> tuple[T, ...]:
    """Return what there is of ``values``, each once."""
    return tuple(dict.fromkeys(value for value in values if value is not None))
