"""The adoption of runs whose definition nobody has any more (rule 22).

Only pending ones: a run at work ends as it began. What waits of a schedule that was retired ends as
cancelled, once no living replica has that schedule as it was.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from ..definitions.application import Application
from ..store import statements
from .lease_names import lease_name


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of such runs: their numbers by schedule."""

    adopted: dict[str, int]
    cancelled: dict[str, int]

    def __str__(self) -> str:
        """Return it as text, such as ``2 runs of "nightly" will go by its current definition``."""
        said = [
            f'{_runs(number)} of "{name}" will go by its current definition' for name, number in self.adopted.items()
        ]
        said += [f'{_runs(number)} of "{name}" cancelled: it was retired' for name, number in self.cancelled.items()]
        return "; ".join(said)


def strange_digests(
    connection: Connection, application: str, holder: str, own: Collection[str], seen_within: float
) -> set[str | None]:
    """Return the digests of pending runs that neither this replica nor another living one has."""
    unknown = statements.run.pending_digests(connection, application) - set(own)
    if not unknown:
        return set()
    return unknown - statements.generation.run_digests_of_others(connection, application, holder, seen_within)


def adopt(connection: Connection, application: Application, holder: str, seen_within: float) -> Adopted:
    """Let the runs that are strange now go by the definitions in the database, which are those of
    ``application``; end those of retired schedules.
    """
    statements.schedule.take_turn(connection, application.name)
    own = {schedule.name: schedule for schedule in application.schedules}
    digests = set(application.run_digests.values())
    strange = strange_digests(connection, application.name, holder, digests, seen_within)
    adopted: dict[str, int] = {}
    if not strange:
        return Adopted({}, {})
    for row in statements.schedule.of_application(connection, application.name, lock=True):
        if row.retired_at is not None or row.run_digest not in digests:
            continue
        number = statements.run.adopt(connection, application.name, row.name, strange, row.run_digest)
        if number:
            adopted[row.name] = number
            lease = lease_name(application.name, own[row.name])
            statements.run.name_leases(
                connection, application.name, row.name, lease.base, per_run=lease.per_run, digest=row.run_digest
            )
    cancelled = statements.run.cancel_retired(connection, application.name, strange)
    for name in sorted(cancelled):
        statements.run.promote(connection, application.name, name)
    return Adopted(adopted, cancelled)


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"
