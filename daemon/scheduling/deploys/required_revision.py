"""The highest living revision, where an application's runs belong to its replicas alone (rule 22)."""

from collections.abc import Callable

from sqlalchemy import Connection

from ...definitions.application import Application
from ...states import SEEN_WITHIN
from ...store import statements
from ...telemetry.facts import Note, Notify


class RequiredRevision:
    """Says whether this replica must leave runs to others, because its definitions have `require_revision` and a replica
    of a higher revision is ready. One that a take-over made count no more is lower than any, and one whose definitions
    these supersede counts for nothing here. ``changed`` is called when that changes.

    Each claim looks, in its own transaction; between claims, what was found last holds.
    """

    def __init__(self, application: Application, notify: Notify, changed: Callable[[], object] = lambda: None) -> None:
        self.higher: int | None = None
        """The revision to whose replicas runs are left, as far as is known."""
        self._name = application.name
        self._digest = application.digest
        self._own = application.revision if application.require_revision else None
        self._notify = notify
        self._changed = changed

    def look(self, connection: Connection) -> int | None:
        """Return the revision to whose replicas runs are to be left now; None if this replica may claim."""
        if self._own is None:
            return None
        highest = statements.replica.highest_revision(connection, self._name, self._digest, SEEN_WITHIN)
        if highest is None or highest == self._own:
            return None
        counts = statements.replica.counts(connection, self._name, self._digest, self._own)
        return highest if highest > self._own or not counts else None

    def take(self, higher: int | None) -> None:
        """Take in what a look has found, and tell if it is another than before."""
        if higher == self.higher:
            return
        self.higher = higher
        self._notify(Note(f'application "{self._name}": {self.sentence() or self._free()}'))
        self._changed()

    def sentence(self) -> str | None:
        """Return why this replica claims nothing, if it does not. For any thread."""
        higher = self.higher
        if higher is None:
            return None
        own = f"{self._own}" if higher > (self._own or 0) else f"{self._own}, which no longer counts"
        return (
            f"this replica claims no runs: its revision is {own}, a replica of revision {higher} is ready, and "
            "with require_revision only the highest revision claims runs"
        )

    def _free(self) -> str:
        return f"no replica of a higher revision than {self._own} is ready; this one claims runs"
