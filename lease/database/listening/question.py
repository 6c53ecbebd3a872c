"""One prepared statement that is run again and again over a connection that listens.

It is sent at the very moment in which something is heard. Over another connection it would wait until
the tasks of this thread have had their turns, and until another process of the server is awake.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.pq import DiagnosticField
from psycopg.pq.abc import PGconn, PGresult

from ..wires.of_libpq import Exchange, is_done, rows_of

Answered = Callable[[Sequence[Sequence[Any]] | None], None]
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

    def __init__(self, connection: PGconn, wording: Wording, late: Callable[[TimeoutError], None]) -> None:
        self._exchange = Exchange(connection, "lease_question", prepares=True)
        self._wording = wording
        self._late = late
        self._was_sent = False
        self._pending: _Pending | None = None

    def prepare(self) -> None:
        """Have the server prepare it, once. Where it cannot, nothing is ever asked."""
        if not self._was_sent:
            self._was_sent = True
            results: list[PGresult] = []
            with suppress(UnicodeError):  # the schema's name has no place in this encoding
                self._begin(self._exchange.prepare(self._wording.text, results), results, lambda _: None)

    def ask(self, values: Sequence[object], answered: Answered) -> bool:
        """Ask it; ``answered`` is called later, in this event loop. False where that cannot be done now."""
        if self._pending is not None or not self._exchange.is_prepared(self._wording.text):
            return False
        results: list[PGresult] = []
        with suppress(psycopg.Error, UnicodeError):  # it is broken, as `read` will see; or a label is not to be written
            self._begin(self._exchange.ask(self._wording.text, values, results), results, answered)
            return True
        return False

    def read(self) -> None:
        """Take in the answer, once all of it has arrived."""
        if self._pending is not None and next(self._pending.steps, None) is None:
            pending, self._pending = self._pending, None
            pending.end()

    def end(self) -> None:
        """Give up on the answer under way: nothing is known."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.fail()

    def _begin(self, steps: Iterator[bool], results: list[PGresult], answered: Answered) -> None:
        next(steps, None)
        error = TimeoutError(f"no answer within {self._wording.timeout:g}s")
        overdue = asyncio.get_running_loop().call_later(self._wording.timeout, self._late, error)
        self._pending = _Pending(steps, results, answered, overdue)


@dataclass(frozen=True, slots=True)
class _Pending:
    """What was sent, and what has come of it so far."""

    steps: Iterator[bool]
    results: list[PGresult]
    answered: Answered
    overdue: asyncio.TimerHandle

    def end(self) -> None:
        """Pass on what the results say. Only an error that comes first proves that nothing has happened: a session
        that listens can fail after its commit too, and a shutdown can strike at any moment.
        """
        if is_done(self.results):
            self._pass_on([row for one in self.results for row in rows_of(one)])
        elif self.results and self.results[0].error_field(DiagnosticField.SEVERITY_NONLOCALIZED) == b"ERROR":
            self._pass_on([])
        else:
            self.fail()

    def fail(self) -> None:
        """Pass on that nothing is known."""
        self._pass_on(None)

    def _pass_on(self, rows: Sequence[Sequence[Any]] | None) -> None:
        self.overdue.cancel()
        self.answered(rows)
