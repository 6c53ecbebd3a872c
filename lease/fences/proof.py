"""The proof that a fence is, apart from how the connection is reached: what it refuses, and what an
error says of the grant.
"""

from dataclasses import dataclass
from typing import cast

from sqlalchemy import URL

from .. import statements
from ..database.address import describe, identity_at, place_of
from ..database.backend import SCHEMA, backend_of
from ..database.driver_errors import WROTE_SINCE, explain, sqlite_name, sqlstate, tables_missing
from ..database.foreign import Foreign
from ..database.forks import refuse_after_fork
from ..errors import LeaseError, NeverGranted
from ..model import Grant

AUTOCOMMIT = "fence needs a transaction, and this connection commits each statement by itself (autocommit): use {}"
_FENCED_TOO_LATE = (
    "this transaction read before it was fenced, and another one has written since: start it again, and fence first"
)
_INSUFFICIENT_PRIVILEGE = "42501"


@dataclass(frozen=True, slots=True)
class Home:
    """The database of a lease."""

    url: URL
    identity: str | None = None
    """What a copy of it does not have (`lease.database.address`); None where that is not known."""


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
        return None if self.home is None else self.home.identity

    def over(self, connection: Foreign) -> None:
        """Prove it in the transaction of ``connection``, or refuse what cannot be proven over it."""
        there = connection.there
        if self.home is not None and backend_of(self.home.url) is not connection.backend:
            raise _elsewhere(self.home.url, there)
        try:
            self._sent_over(connection)
        except statements.OtherDatabase:
            raise _elsewhere(cast("Home", self.home).url, there) from None
        except Exception as error:
            refused = statements.refusal(error, self.grant) or error
            # Where identities are equal, an address that differs is another name of the same database.
            if (isinstance(refused, NeverGranted) and self.identity is None) or tables_missing(error):
                self._refuse_other_address(there)
            if tables_missing(error) or sqlstate(error) == _INSUFFICIENT_PRIVILEGE:
                raise explain(error, self._named(there)) from error
            if sqlite_name(error) == WROTE_SINCE:
                refused = LeaseError(_FENCED_TOO_LATE)
            if refused is error:
                raise
            raise refused from error
        if not connection.is_in_transaction():
            raise LeaseError(AUTOCOMMIT.format(connection.begun_by))

    def _sent_over(self, connection: Foreign) -> None:
        if (why := connection.in_the_way()) is not None:
            raise LeaseError(why)
        file = connection.file()
        if file is not None:
            self._refuse_other_file(connection.there, file)
        with connection.turn(file):
            statements.prove(connection, self.grant, self.bound, self.identity)

    def _refuse_other_file(self, there: URL, file: str) -> None:
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
