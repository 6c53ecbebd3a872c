"""The pruning of one schedule in steps, each of two short transactions, and of what else is old in one.

The first transaction chooses, and records up to which instant runs of the schedule may be gone; the second
deletes. In between the audit only knows less than it could. Whatever is locked is left for later.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from ..definitions.values.keep import read_keep
from ..store import statements
from .choice import DAY, Outdated, Seen, age_kept, choose

MOST_RUNS = 300
"""The most runs that one step looks at."""
ACTS_KEPT = 400 * DAY
"""Seconds."""
GENERATIONS_KEPT = 90 * DAY
"""Seconds for which a generation is kept after it gave way."""
LEAST_GENERATIONS = 50
"""So many are kept, however old."""
MESSAGES_KEPT = 7 * DAY
"""Seconds for which a message is kept after it was delivered or given up."""
_MOST_ACTS = 1_000
_MOST_MESSAGES = 5_000
_MOST_GENERATIONS = 50
"""So many of each go in one transaction, at most."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """A schedule whose history is bounded, and which of its runs are beyond the newest that are kept."""

    application: str
    schedule: str
    age: float
    """Seconds after its end for which a run is kept."""
    before: int | None
    """Only runs with a smaller id go; None: of any."""


def kept(connection: Connection, application: str) -> dict[str, Mapping[str, int]]:
    """Return what is kept of each schedule that says so, by name; a definition of a newer version, which
    cannot be read, keeps all.
    """
    found: dict[str, Mapping[str, int]] = {}
    for row in statements.old_runs.keeping(connection, application):
        if keep := _keep(row.definition):
            found[row.name] = keep
    return found


def bound(connection: Connection, application: str, name: str, keep: Mapping[str, int]) -> Bounded | None:
    """Return which runs of a schedule may go; None if none may, because there are not so many."""
    before = None
    if "runs" in keep:
        before = statements.old_runs.oldest_kept(connection, application, name, keep["runs"])
        if before is None:
            return None
    return Bounded(application, name, age_kept(keep), before)


def choose_next(connection: Connection, bounded: Bounded, after: int) -> Outdated:
    """Choose the runs to delete among the next ones behind ``after``, and record their instants as pruned."""
    of = (bounded.application, bounded.schedule)
    rows = statements.old_runs.first_runs(connection, *of, after, bounded.before, MOST_RUNS)
    seen = [Seen(r.id, r.scheduled, r.last, r.created_for, r.ended_for, r.goes_on) for r in rows]
    choice = choose(seen, bounded.age, after, MOST_RUNS)
    if choice.until is not None:
        statements.old_runs.mark_pruned(connection, *of, choice.until)
    return choice


def delete_chosen(connection: Connection, bounded: Bounded, chosen: Outdated) -> int:
    """Delete the chosen runs; return how many."""
    return statements.old_runs.delete_runs(connection, bounded.application, bounded.schedule, chosen.ids)


def delete_old_records(connection: Connection, application: str) -> bool:
    """Delete acts, generations and messages that are old; return whether there may be more of those acts. Of generations,
    which are few, the next pruning takes more.
    """
    statements.delivery.delete_done(connection, application, MESSAGES_KEPT, _MOST_MESSAGES)
    acts = statements.old_records.delete_acts(connection, ACTS_KEPT, _MOST_ACTS)
    statements.old_records.delete_generations(
        connection, application, GENERATIONS_KEPT, LEAST_GENERATIONS, _MOST_GENERATIONS
    )
    return acts == _MOST_ACTS


def _keep(definition: str) -> Mapping[str, int] | None:
    try:
        keep = read_keep(json.loads(definition)["keep"])
    except (KeyError, TypeError, ValueError):
        return None
    return keep
