"""Work that cannot be killed, as if in a container: it keeps a grant and writes under it.

Only the fence stops it. It keeps each grant until it is refused, and so writes as a zombie again
and again.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from .diary import boottime
from .effect import Answer, Grant, write

_LATEST = text("SELECT name, token, holder FROM witness WHERE what = 'granted' ORDER BY at DESC LIMIT 20")


@dataclass(frozen=True, slots=True)
class Tried:
    """A write that it attempted."""

    grant: Grant
    answer: Answer
    at: float
    """When it asked, by the clock of the diaries."""
    answered: float


class Escapee:
    """Writes on a thread of its own until it is stopped."""

    def __init__(self, url: str, look: Callable[[], Connection], seed: int, *, longest_park: float) -> None:
        self.tried: list[Tried] = []
        self._url = url
        self._look = look
        self._chance = Random(f"{seed}/escapee")
        self._longest_park = longest_park
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="escapee")

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self._chance.uniform(0.1, 0.5)):
            with suppress(OperationalError):  # the database is away
                with self._look() as connection:
                    grants: list[Grant] = [(row[0], row[1], row[2]) for row in connection.execute(_LATEST)]
                if grants:
                    self._haunt(self._chance.choice(grants))

    def _haunt(self, grant: Grant) -> None:
        answer: Answer = "away"
        while answer != "refused" and not self._end.is_set():
            at = boottime()
            answer, _ = write(self._url, grant, None, "escapee", park=self._chance.uniform(0, self._longest_park))
            self.tried.append(Tried(grant, answer, at, boottime()))
            self._end.wait(self._chance.uniform(0.0, 0.8))
