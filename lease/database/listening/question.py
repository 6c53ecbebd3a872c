"""One prepared statement that is run again and again over a connection that listens.

It is sent at the very moment in which something is heard. Over another connection it would wait until
the tasks of this thread have had their turns, and until another process of the server is awake.
psycopg's cursors would take the socket away from the listener's reader, so this uses libpq's
asynchronous calls (PostgreSQL's manual, "Asynchronous Command Processing").
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
"""The rows of an answer, as PostgreSQL writes values; NULL is empty."""
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
    """The question over one connection, in one event loop. ``late`` is called when an answer takes too long; the
    connection is of no use after that.
    """

    def __init__(
        self, connection: PGconn, encoding: str, wording: Wording, late: Callable[[TimeoutError], None]
    ) -> None:
        self._connection = connection
        self._encoding = encoding
        self._wording = wording
        self._late = late
        self._was_sent = False
        self._is_prepared = False
        self._pending: _Pending | None = None

    def prepare(self) -> None:
        """Have the server prepare it, once. Where it cannot, nothing is ever asked."""
        if self._was_sent:
            return
        self._was_sent = True
        with suppress(UnicodeError):  # the schema's name has no place in this encoding
            self._connection.send_prepare(_NAME, self._wording.text.encode(self._encoding))
            self._expect(lambda _: None)

    def ask(self, values: Sequence[object], answered: Answered) -> bool:
        """Ask it; ``answered`` is called later, in this event loop. False where that cannot be done now."""
        if not self._is_prepared or self._pending is not None:
            return False
        with suppress(psycopg.Error, UnicodeError):  # it is broken, as `read` will see; or a label is not to be written
            given = [None if value is None else str(value).encode(self._encoding) for value in values]
            self._connection.send_query_prepared(_NAME, given)
            self._expect(answered)
            return True
        return False

    def read(self) -> None:
        """Take in the answer, once all of it has arrived: rows come before their commit."""
        while self._pending is not None and not self._connection.is_busy():
            result = self._connection.get_result()
            if result is not None:
                self._pending.results.append(result)
                continue
            pending, self._pending = self._pending, None
            self._is_prepared |= pending.is_done()  # the first answer is that to `prepare`
            pending.end(self._encoding)

    def end(self) -> None:
        """Give up on the answer under way: nothing is known."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.fail()

    def _expect(self, answered: Answered) -> None:
        error = TimeoutError(f"no answer within {self._wording.timeout:g}s")
        overdue = asyncio.get_running_loop().call_later(self._wording.timeout, self._late, error)
        self._pending = _Pending(answered, overdue)


class _Pending:
    """What was sent, and what has come of it so far."""

    def __init__(self, answered: Answered, overdue: asyncio.TimerHandle) -> None:
        self.results: list[PGresult] = []
        self._answered = answered
        self._overdue = overdue

    def is_done(self) -> bool:
        """Return whether the server says that it has done it."""
        return bool(self.results) and all(one.status in _DONE for one in self.results)

    def end(self, encoding: str) -> None:
        """Pass on what the results say. Only an error that comes first proves that nothing has happened: a session
        that listens can fail after its commit too, and a shutdown can strike at any moment.
        """
        if self.is_done():
            self._pass_on([row for one in self.results for row in _rows(one, encoding)])
        elif self.results and self.results[0].error_field(DiagnosticField.SEVERITY_NONLOCALIZED) == b"ERROR":
            self._pass_on([])
        else:
            self.fail()

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
