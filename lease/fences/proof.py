"""The proof that a fence is, apart from how the connection is reached: what it refuses, and what an
error says of the grant.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import URL
from sqlalchemy.util import await_only

from .. import statements
from ..database.address import describe, place_of
from ..database.backend import SCHEMA, backend_of
from ..database.driver_errors import explain, sqlstate, tables_missing
from ..database.forks import refuse_after_fork
from ..database.held.identity import identity_at
from ..database.turnstile import Turnstile, TurnstileBusy
from ..errors import LeaseError, NeverGranted, StoreUnavailable
from ..model import Grant
from .drivers import question_of

AUTOCOMMIT = "fence needs a transaction, and this connection commits each statement by itself (autocommit): use {}"
_INSUFFICIENT_PRIVILEGE = "42501"
_PATIENCE = 5.0
"""Seconds to wait for SQLite's turnstile."""


@dataclass(frozen=True, slots=True)
class Home:
    """The database of a lease."""

    url: URL
    identity: str | None = None
    """What a copy of it does not have (`lease.database.held.identity`); None where that is not known."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What is to be proven: that ``grant`` has not ended, in the database ``home`` (where known)."""

    grant: Grant
    bound: float
    home: Home | None
    schema: str | None
    """Where the tables of the leases are (PostgreSQL)."""

    @property
    def identity(self) -> str | None:
        """Which database the lease is in, where that is known."""
        return None if self.home is None else self.home.identity

    @contextmanager
    def given(self, there: URL, driver: Any, *, remedy: str = "engine.begin()") -> Iterator[None]:
        """Refuse what cannot be proven over ``driver``'s connection, which leads ``there``; then the
        block sends the statement.
        """
        in_transaction = question_of(driver)
        if self.home is not None and backend_of(self.home.url) is not backend_of(there):
            raise _elsewhere(self.home.url, there)
        try:
            yield
        except statements.OtherDatabase:
            raise _elsewhere(cast("Home", self.home).url, there) from None
        except Exception as error:
            refused = statements.refusal(error, self.grant) or error
            # Where identities are equal, an address that differs is another name of the same database.
            if (isinstance(refused, NeverGranted) and self.identity is None) or tables_missing(error):
                self._refuse_other_address(there)
            if tables_missing(error) or sqlstate(error) == _INSUFFICIENT_PRIVILEGE:
                raise explain(error, self._named(there)) from error
            if refused is error:
                raise
            raise refused from error
        if not in_transaction(driver):
            raise LeaseError(AUTOCOMMIT.format(remedy))

    @staticmethod
    @contextmanager
    def turn(file: str | None, *, in_loop: bool = False) -> Iterator[None]:
        """Wait for the turn to write to an SQLite ``file`` (None: nobody waits); ``in_loop``:
        without blocking the event loop.
        """
        if not file:
            yield
            return
        with Turnstile(file) as entrance:
            try:
                if in_loop:
                    await_only(entrance.pass_soon(_PATIENCE))
                else:
                    entrance.pass_within(_PATIENCE)
            except TurnstileBusy as busy:
                raise StoreUnavailable(str(busy)) from None
            yield

    def refuse_other_file(self, there: URL, file: str) -> None:
        """Refuse an SQLite ``file`` (empty: in memory) other than the lease's, and any in a process that was forked
        too late.
        """
        refuse_after_fork()
        if self.home is None:
            return
        wanted = self.home.identity or identity_at(self.home.url.database or "")
        if wanted is None or not file or identity_at(file) != wanted:
            raise _elsewhere(self.home.url, there)

    def _named(self, there: URL) -> URL:
        """Return ``there``, with the schema that the lease's tables are in."""
        return there if self.schema in (None, SCHEMA) else there.update_query_dict({"schema": str(self.schema)})

    def _refuse_other_address(self, there: URL) -> None:
        if self.home is not None and place_of(there) != place_of(self.home.url):
            raise _elsewhere(self.home.url, there)


def _elsewhere(home: URL, there: URL) -> LeaseError:
    is_same_place = backend_of(home) is backend_of(there) and place_of(home) == place_of(there)
    leads = "another database at the same address, as after a restore" if is_same_place else describe(there)
    return LeaseError(
        f"the lease is in {describe(home)}, but this connection is to {leads}: "
        "a fence works only where the lease is; a resource elsewhere needs a gate that keeps the highest token"
    )
