"""`leased audit`: the violations that the recorded history shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import typer
from sqlalchemy import Connection

from ....answers import filled
from ....audit import Promise, Violation, check
from ....audit.history import History, Tables, history, read_tables
from ....store.views.names import require_application
from ....text import counted, number, when
from ...ask import ask
from ...failures import FAILED
from ...options import Application, Database, Json
from ...screen import print_sentences, say, screen, write_json

T = TypeVar("T")
PATIENCE = 300.0
"""How many seconds reading the whole history may take."""
SHOWN = 100
"""How many violations are shown without --json."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation, and the schedules, runs and leases it concerns."""

    promise: Promise
    what: str
    schedules: tuple[str, ...]
    runs: tuple[int, ...]
    leases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuditAnswer:
    """The answer of `leased audit --json`."""

    database_time: datetime
    ok: bool
    since: datetime | None
    schedules: int
    runs: int
    instants: int
    grants: int
    remarks: Sequence[str]
    items: list[Finding]


def audit(database: Database = None, application: Application = None, as_json: Json = False) -> None:
    """Check the recorded history for violations; exit with status 1 if there are any."""

    def read(connection: Connection) -> Tables:
        require_application(connection, application)
        return read_tables(connection, application)

    tables = ask(database, read, patience=PATIENCE)
    whole = history(tables)
    found = check(whole.facts)
    if as_json:
        items = [
            Finding(
                violation.promise,
                violation.what,
                _each(getattr(fact, "schedule", None) for fact in violation.facts),
                _each(getattr(fact, "run", None) for fact in violation.facts),
                _each(getattr(getattr(fact, "grant", fact), "name", None) for fact in violation.facts),
            )
            for violation in found
        ]
        write_json("audit", filled(AuditAnswer, whole, database_time=whole.at, ok=not found, items=items))
    else:
        _show(whole, found)
    if found:
        raise typer.Exit(FAILED)


def _show(whole: History, found: Sequence[Violation]) -> None:
    console = screen()
    # Recorded rows cannot tell that every promise was kept.
    verdict = f"{counted(len(found), 'violation')} found" if found else "no violations found"
    runs = counted(whole.runs, "run") + (f" since {when(whole.since)}" if whole.since else "")
    others = {"schedule": whole.schedules, "scheduled time": whole.instants, "grant": whole.grants}
    say(console, f"{verdict} in {runs} ({', '.join(counted(count, what) for what, count in others.items())})")
    print_sentences(console, map(str, found[:SHOWN]), style="none")
    if len(found) > SHOWN:
        say(console, f"and {number(len(found) - SHOWN)} more; --json has them all")
    print_sentences(console, whole.remarks, style="dim")


def _each(values: Iterable[T | None]) -> tuple[T, ...]:
    """Return the distinct ``values`` except None, in their order."""
    return tuple(dict.fromkeys(value for value in values if value is not None))
