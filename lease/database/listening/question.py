"""One statement that is asked again and again over a connection that listens.

It is sent at the very moment in which something is heard. Over another connection it would wait until
the tasks of this thread have had their turns, and until another process of the server is awake. The
driver's cursors would take its connection away from whoever reads what is heard, so that this goes by
libpq's own calls (PostgreSQL's manual, "Asynchronous Command Processing").
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

_NAME = b"lease_question"
_DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
Texts = Sequence[Sequence[str]]
"""The rows of an answer, as PostgreSQL writes values; none of them is NULL."""
Answered = Callable[[Texts | None], None]
"""Takes the rows of the answer, an empty list where the server refused. None says that nothing is known: what was
asked may or may not have happened.
"""


@dataclass(frozen=True, slots=True)
class Wording:
    """The text of a question, with its parameters as $1, $2 …, and how many seconds its answer may take."""

    text: str
    timeout: float


class Question:
    """The question over one connection, in one event loop. ``late`` is called where an answer takes too long: the
    connection is good for nothing then.
    """

    def __init__(
        self, connection: PGconn, encoding: str, wording: Wording, late: Callable[[TimeoutError], None]
    ) -> None:
        self._connection = connection
        self._encoding = encoding
        self._wording = wording
        self._late = late
        self._was_prepared = False
        self._pending: _Pending | None = None

    def prepare(self) -> None:
        """Have the server prepare it, the first time. Where it refuses, it refuses what is asked too."""
        if not self._was_prepared:
            self._was_prepared = True
            self._connection.send_prepare(_NAME, self._wording.text.encode(self._encoding))
            self._expect(lambda _: None)

    def ask(self, values: Sequence[object], answered: Answered) -> bool:
        """Ask it; ``answered`` is called later, in this event loop. False where that cannot be done now."""
        if not self._was_prepared or self._pending is not None:
            return False
        try:
            given = [None if value is None else str(value).encode(self._encoding) for value in values]
            self._connection.send_query_prepared(_NAME, given)
        except (psycopg.Error, UnicodeError):  # the connection is broken, as whoever reads it will see
            return False
        self._expect(answered)
        return True

    def read(self) -> None:
        """Take in the answer, once all of it has arrived: rows come before their commit."""
        while self._pending is not None and not self._connection.is_busy():
            result = self._connection.get_result()
            if result is not None:
                self._pending.results.append(result)
                continue
            pending, self._pending = self._pending, None
            pending.end(self._encoding)

    def end(self) -> None:
        """Expect no answer any more."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.fail()

    def _expect(self, answered: Answered) -> None:
        error = TimeoutError(f"no answer within {self._wording.timeout:g}s")
        overdue = asyncio.get_running_loop().call_later(self._wording.timeout, self._late, error)
        self._pending = _Pending(answered, overdue)
        with suppress(psycopg.Error):  # the connection is broken, as whoever reads it will see
            self._connection.flush()  # all of it: it is short, and nothing else is on its way


class _Pending:
    """What was sent, and what has come of it so far."""

    def __init__(self, answered: Answered, overdue: asyncio.TimerHandle) -> None:
        self.results: list[PGresult] = []
        self._answered = answered
        self._overdue = overdue

    def end(self, encoding: str) -> None:
        """Pass on what all results say. Only an error that comes first says for sure that nothing has happened: a
        server that listens can fail after a commit too, and one that is shut down after anything.
        """
        first = self.results[0] if self.results else None
        failed = [one for one in self.results if one.status not in _DONE]
        if first in failed and first.error_field(DiagnosticField.SEVERITY_NONLOCALIZED) == b"ERROR":
            self._pass_on([])
        elif failed or first is None:
            self.fail()
        else:
            self._pass_on([row for one in self.results for row in _rows(one, encoding)])

    def fail(self) -> None:
        """Pass on that nothing is known."""
        self._pass_on(None)

    def _pass_on(self, rows: Texts | None) -> None:
        self._overdue.cancel()
        self._answered(rows)


def _rows(result: PGresult, encoding: str) -> Texts:
    return [
        [(result.get_value(row, column) or b"").decode(encoding) for column in range(result.nfields)]
        for row in range(result.ntuples)
    ]
