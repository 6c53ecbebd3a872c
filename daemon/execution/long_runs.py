"""The runs of a replica that take long, as one fact for each level that they reach."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from ..scheduling.telling import Told, tell
from ..states import LONG_LEVELS
from ..store import statements
from ..store.policies import read_policies
from ..store.views.usual import Long, long_for, may_be_long, read_usual
from ..telemetry.facts import RunLong


def take_long(connection: Connection, ids: Collection[int], holder: str) -> list[RunLong]:
    """Mark which of these runs of a replica have become long, or longer, and return a fact for each."""
    rows = {row.id: row for row in statements.late.read_long(connection, ids, holder)} if ids else {}
    given = {run_id: read_policies(row.definition or "{}").long for run_id, row in rows.items()}
    may_be = [row for row in rows.values() if may_be_long(row.running_for, given[row.id])]
    usual = read_usual(connection, {(row.application, row.schedule) for row in may_be})
    found: Mapping[int, Long] = {
        row.id: long
        for row in may_be
        if (long := long_for(row.running_for, given[row.id], usual.get((row.application, row.schedule)))) is not None
        and LONG_LEVELS.index(long.level) >= (row.told_long or 0)
    }
    if not found:
        return []
    levels = {run_id: long.level for run_id, long in found.items()}
    marked = sorted(statements.late.mark_long(connection, levels, holder))
    facts = []
    for run_id in marked:
        row, long = rows[run_id], found[run_id]
        tell(connection, row.application, [Told("run.long", row.key, run_id)])
        facts.append(RunLong(row.application, row.schedule, run_id, long.level, row.running_for, long.threshold))
    return facts
