"""One acquisition of a user and what comes of it, noted step by step."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from lease import LeaseError, LeaseLost
from lease.handle import Handle
from tests.chaos.effect import BOUND, write

from .journal import URL, Journal
from .plans import Plan

JOB = "user"
"""How the effects of users begin, in place of a job's name."""
_EFFECT = text("INSERT INTO effect (run, job, name, token, holder) VALUES (NULL, :job, :name, :token, :holder)")


class Visit:
    """One visit to a lock; ``client`` numbers the clients of this process."""

    def __init__(self, journal: Journal, plan: Plan, client: int) -> None:
        self._journal = journal
        self._known = {"visit": journal.visit(), "client": client}
        self._haunts = plan.haunts
        self._effects = 0
        self.held: Handle | None = None
        self.ended = False
        self.note("asked", name=plan.name, wait=plan.wait)

    def note(self, what: str, **more: object) -> None:
        self._journal.note(what, **self._known, **more)

    def leaving(self) -> None:
        """Note that the block has come to its end, and the release is next."""
        self.note("leaving")

    @contextmanager
    def told(self) -> Iterator[None]:
        """Note how the block ends; its lease errors end here."""
        try:
            yield
        except LeaseError as error:
            self._end(type(error).__name__, str(error))
        except BaseException as error:
            self._end(type(error).__name__, "")
            raise
        else:
            self._end("released", "")

    def granted(self, held: Handle) -> None:
        self.held = held
        self.note("granted", grant=[held.name, held.token, held.holder])

    def write(self, engine: Engine, held: Handle) -> None:
        """Write an effect in a fenced transaction, as a program does."""
        job = self._next(over=self.ended or held.lost.is_set())
        try:
            with engine.begin() as connection:
                held.fence(connection, bound=BOUND)
                connection.execute(_EFFECT, {"job": job, "name": held.name, "token": held.token, "holder": held.holder})
                connection.execute(text("UPDATE account SET balance = balance + 1"))
        except LeaseLost as error:
            self.note("refused", job=job, why=str(error))
        except (LeaseError, DBAPIError) as error:
            self.note("away", job=job, why=str(error).splitlines()[0])
        else:
            self.note("written", job=job)

    def haunt(self, engine: Engine) -> None:
        """Where it held and lost it, or is of those who do, write under the grant that is over: through
        the library, and as a program of another language, which only the database refuses.
        """
        held = self.held
        if held is None or not (self._haunts or held.loss is not None):
            return
        self.write(engine, held)
        job = self._next(over=False)
        answer, why = write(os.environ[URL], (held.name, held.token, held.holder), None, job)
        self.note(answer, job=job, why=why)

    def _next(self, *, over: bool) -> str:
        self._effects += 1
        job = f"{JOB}/{self._journal.process}/{self._known['visit']}/{self._effects}"
        self.note("writing", job=job, over=over)
        return job

    def _end(self, how: str, why: str) -> None:
        self.ended = True
        self.note("ended", how=how, why=why)
