"""The definitions of living replicas that others would supersede: at a terminal, that takes `--take-over` (rule 21)."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from ...definitions.application import Application
from ...states import SEEN_WITHIN
from ...store import statements
from ...text import listed
from ..generations import Order, Others, superseded, who_runs
from .sync import SyncReport, sync

_FEW = 5
"""How many schedules of a kind the refusal names."""


@dataclass(frozen=True, slots=True)
class Superseding:
    """Who runs the definitions that others would supersede, and what becomes of these."""

    application: Application
    others: str
    """Who runs what: ``2 replicas on web1, web2 run generation 1``."""
    report: SyncReport

    def refusal(self) -> str:
        """Return why this is refused at a terminal, and what to do instead."""
        kinds = ("retired", "changed", "added", "revived", "renamed")
        changes = "; ".join(
            f"{kind}: {listed(names, _FEW)}" for kind in kinds if (names := getattr(self.report, kind, ()))
        )
        said = (
            f'{self.others} of "{self.application.name}". These definitions would supersede theirs'
            f"{f' ({changes})' if changes else ''}. At a terminal, that needs --take-over (in Python, take_over=True); "
            "nothing was changed. To try a file out, use another database (--database)."
        )
        if self.application.revision is not None:
            return said
        return f"{said} If your releases have a revision (LEASED_REVISION), a file without one supersedes nothing."


def superseding(
    connection: Connection, application: Application, order: Order, others: Others, dead: Collection[str] = ()
) -> Superseding | None:
    """Return what ``application``, recorded in ``order``, would supersede, or None if living replicas run no other
    definitions. ``dead`` are holders whose death is proven.
    """
    generations = superseded(order, application.digest, others)
    if not generations:
        return None
    rows = statements.generation.living_others(connection, application.name, application.digest, SEEN_WITHIN, dead)
    said = who_runs(
        (one.number, one.revision, [row.host for row in rows if row.digest == one.digest]) for one in generations
    )
    return Superseding(application, said, sync(connection, application, dry_run=True))
