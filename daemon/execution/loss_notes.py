"""The losses of leases that are still to be recorded in their attempts."""

from collections import deque
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from lease.clock import boottime
from lease.database.database import Database
from lease.model import Grant, Loss

from ..jobs.reports import LONGEST_MESSAGE
from ..store import statements
from .writes.result import truncate_for_db

MOST_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class LossNote:
    """An attempt whose lease was lost, and whose work ended at ``ended``, by `lease.clock.boottime`."""

    job_run_id: int
    grant: Grant
    loss: Loss
    ended: float


class LossNotes:
    """The notes that are not written yet, the latest `MOST_KEPT`.

    Mostly the database cannot be reached when a lease is lost, and later another replica has settled the attempt, and
    did not know. A note names the holder's own attempt, and leaves what a settler wrote.
    """

    def __init__(self) -> None:
        self._notes: deque[LossNote] = deque(maxlen=MOST_KEPT)
        self._writing = False

    def add(self, note: LossNote) -> None:
        self._notes.append(note)

    async def write(self, database: Database) -> None:
        """Write the notes; those that could not be written are kept. One call writes for all that come
        meanwhile: mostly all runs of a replica lose their leases at once.
        """
        if self._writing:
            return
        self._writing = True
        try:
            while notes := list(self._notes):
                await database.write(partial(_write, notes=notes))
                written = set(map(id, notes))
                self._notes = deque((note for note in self._notes if id(note) not in written), maxlen=MOST_KEPT)
        finally:
            self._writing = False


def _write(connection: Connection, notes: list[LossNote]) -> None:
    for note in sorted(notes, key=lambda note: note.job_run_id):
        why = truncate_for_db(note.loss.cause, LONGEST_MESSAGE)
        ago = boottime() - note.ended
        statements.job_run.note_loss(connection, note.job_run_id, note.grant, str(note.loss.kind), why, ago)
