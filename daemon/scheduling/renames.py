"""The rows that the schedules of a file stand in, where some were renamed (rule 17).

A row keeps the name under which it was first defined, its *key*: lease, idempotency keys and history go
by that, so that replicas from before a rename and from after it exclude each other. What it is called
stands beside it, and so does each name that it had.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from ..definitions.application import LONGEST_NAMES, Application
from ..definitions.schedule import Schedule
from ..store import statements
from ..store.tables import called, former_names


@dataclass(frozen=True, slots=True)
class Located:
    """Where the schedules of a file stand."""

    keys: Mapping[str, str] = field(default_factory=dict)
    """The keys of those that have another name than their row, by their names."""
    emptied: tuple[str, ...] = ()
    """The keys of rows that give way: they have the name of a schedule that takes over another, and no history."""
    apart: tuple[tuple[str, str], ...] = ()
    """Schedules (name, former name) that take over nothing, because there is history under both names."""


def locate(
    schedules: Iterable[Schedule], rows: Collection[Row[Any]], with_history: Collection[str], longest: int
) -> Located:
    """Return where schedules stand, or will when they are synced; ``rows`` are all that may matter. Pure.

    A schedule has the row of its name. Otherwise it takes over that of a former name, the newest first; and otherwise
    the row that was called so, if the file does not define what it is called now: a rename is undone. ``longest`` is
    what a key may have, and ``with_history`` has the keys of the rows that have runs, or a pause.
    """
    made = list(schedules)
    defined = {one.name for one in made}
    present: dict[str, Row[Any]] = {}
    former: dict[str, Row[Any]] = {}
    for row in sorted(rows, key=lambda row: (row.retired_at is None, row.name)):
        present[called(row)] = row
        former.update(dict.fromkeys(former_names(row), row))
    keys: dict[str, str] = {}
    emptied: list[str] = []
    apart: list[tuple[str, str]] = []
    taken: set[str] = set()

    def had(name: str) -> Row[Any] | None:
        """Return the row that has, or had, a name which is none of this file; not one that another schedule has."""
        for row in (present.get(name), former.get(name)):
            if row is not None and called(row) not in defined and row.name not in taken:
                return row
        return None

    for one in made:
        own = present.get(one.name)
        before = next((found for name in one.was if (found := had(name)) is not None), None)
        if own is not None and before is not None and before.name in with_history:
            if own.name in with_history:
                apart.append((one.name, called(before)))
            else:
                emptied.append(own.name)
                own = before
        if (own := own or before) is not None:
            keys[one.name] = own.name
            taken.add(own.name)
    for one in made:
        if one.name not in keys:
            own = had(one.name)
            keys[one.name] = _free_key(one.name, rows, keys.values(), longest) if own is None else own.name
            taken.add(keys[one.name])
    differing = {name: key for name, key in keys.items() if name != key}
    return Located(differing, tuple(emptied), tuple(apart))


def located(connection: Connection, application: Application, rows: Collection[Row[Any]] | None = None) -> Located:
    """Return where the schedules of an application stand; ``rows`` are all that there are, if they were read already.

    Where nothing was ever renamed it costs one question, which an index answers.
    """
    of, own = application.name, {one.name: one for one in application.schedules}
    renaming = [one for one in own.values() if one.was]
    if rows is None:
        renamed = statements.renames.renamed(connection, of)
        if not renamed and not renaming:
            return Located()
        names = {name for row in renamed for name in (row.name, called(row), *former_names(row))} & own.keys()
        names |= {name for one in renaming for name in (one.name, *one.was)}
        there = {row.name for row in renamed}
        rows = [*renamed, *statements.renames.of_names(connection, of, names - there)]
    elif not renaming and all(row.called is None for row in rows):
        return Located()
    names = {name for one in renaming for name in (one.name, *one.was)}
    meant = [row.name for row in rows if not names.isdisjoint((called(row), *former_names(row)))]
    with_history = statements.renames.with_history(connection, of, meant) if len(meant) > 1 else set(meant)
    return locate(own.values(), rows, with_history, LONGEST_NAMES - len(of))


def _free_key(name: str, rows: Iterable[Row[Any]], taken: Collection[str], longest: int) -> str:
    """Return the key of a new row: its name, unless a row that is called otherwise has that key."""
    used = {row.name for row in rows}.union(taken)
    key, number = name, 1
    while key in used:
        number += 1
        ending = f"~{number}"
        key = name[: longest - len(ending)] + ending
    return key
