"""Statements over one connection to PostgreSQL, by libpq's asynchronous calls (PostgreSQL's manual, "Asynchronous Command
Processing").

psycopg's cursors wait for the socket themselves. Here its user waits, in whichever way suits: a thread, an event
loop, or a listener that reads notifications from the same socket.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

_DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
_TYPES: Mapping[int, Callable[[str], Any]] = {
    16: "t".__eq__,  # boolean
    20: int,
    21: int,
    23: int,
    700: float,
    701: float,
}
"""How values are read, by the OID of their type; all others are texts."""


class Exchange:
    """One statement at a time, each a transaction of its own. Each method is a generator: it yields when its user is
    to wait until the socket is readable; True, until it is writable too. The connection's encoding is utf8.
    """

    def __init__(self, connection: PGconn, names: str, *, prepares: bool = False) -> None:
        """``names``: how the names of what is prepared begin."""
        self._connection = connection
        self._names = names
        self.prepares = prepares
        """Statements are prepared: the connection leads to the server itself, not to a pooler."""
        self._prepared: dict[str, bytes] = {}

    def is_prepared(self, text: str) -> bool:
        """Return whether the server knows it."""
        return text in self._prepared

    def ask(self, text: str, values: Sequence[object], results: list[PGresult]) -> Iterator[bool]:
        """Run a statement with its parameters, $1, $2 …; all results are put into ``results``."""
        given = [None if value is None else str(value).encode() for value in values]
        if self.prepares and not self.is_prepared(text):
            yield from self.prepare(text, results)
            if not is_done(results):
                return
            results.clear()
        if self.prepares:
            self._connection.send_query_prepared(self._prepared[text], given)
        else:
            self._connection.send_query_params(text.encode(), given)
        yield from self._take_in(results)

    def prepare(self, text: str, results: list[PGresult]) -> Iterator[bool]:
        """Have the server prepare a statement."""
        name = f"{self._names}_{len(self._prepared)}".encode()
        self._connection.send_prepare(name, text.encode())
        yield from self._take_in(results)
        if is_done(results):
            self._prepared[text] = name

    def _take_in(self, results: list[PGresult]) -> Iterator[bool]:
        """Send what is left to send, and take in all results: rows come before their commit, and an error can follow."""
        while self._connection.flush():
            yield True
            self._connection.consume_input()
        while True:
            while self._connection.is_busy():
                yield False
                self._connection.consume_input()
            result = self._connection.get_result()
            if result is None:
                return
            results.append(result)


def is_done(results: Sequence[PGresult]) -> bool:
    """Return whether the server says that it has done it."""
    return bool(results) and all(one.status in _DONE for one in results)


def types_of(result: PGresult) -> list[int]:
    """Return the OIDs of its columns' types."""
    return [result.ftype(column) for column in range(result.nfields)]


def rows_of(result: PGresult) -> list[list[Any]]:
    """Return its rows, with booleans and numbers as Python has them, and all else as text."""
    readers = [_TYPES.get(one, str) for one in types_of(result)]
    return [
        [
            None if (value := result.get_value(row, column)) is None else read(value.decode())
            for column, read in enumerate(readers)
        ]
        for row in range(result.ntuples)
    ]
