"""The fence over Django's ``connection``, without Django: told by the name of its class."""

from typing import Any, Protocol

from sqlalchemy import URL

from .. import statements
from ..database.backend import backend_of
from ..errors import LeaseError
from .proof import Proof

_REMEDY = "transaction.atomic()"
_HELD = "UPDATE main.lease SET token = token WHERE name = %(name)s AND token = %(token)s AND holder = %(holder)s"
_KNOWN = "SELECT 1 FROM main.lease WHERE name = %(name)s AND token >= %(token)s"


class DjangoConnection(Protocol):
    """What `django.db.connection` is to a type checker."""

    @property
    def vendor(self) -> str: ...

    @property
    def in_atomic_block(self) -> bool: ...


def fence_django(connection: Any, proof: Proof) -> None:
    connection.ensure_connection()
    driver, there = connection.connection, _place(connection)
    backend = backend_of(there)
    with proof.given(there, driver, remedy=_REMEDY):
        if any(connection.savepoint_ids):
            raise LeaseError(
                "fence must come before any savepoint, in the outermost transaction.atomic(): rolling back to one would "
                "drop it (in a test, use TransactionTestCase: TestCase runs all in a transaction of its own)"
            )
        if backend.has_functions:
            values = statements.fence_values(proof.grant, proof.bound, proof.identity)
            with connection.cursor() as cursor:
                cursor.execute(statements.fence_call("%({})s", proof.schema, proof.identity), values)
                statements.refuse_other_database(cursor.fetchone(), proof.identity)
            return
        (_, _, file), *_ = driver.execute("PRAGMA database_list")
        proof.refuse_other_file(there, file)
        values = {"name": proof.grant.name, "token": proof.grant.token, "holder": proof.grant.holder}
        with proof.turn(file), connection.cursor() as cursor:
            cursor.execute(_HELD, values)
            if cursor.rowcount != 1:
                del values["holder"]
                raise statements.fenced_off(proof.grant, known=cursor.execute(_KNOWN, values).fetchone() is not None)


def _place(connection: Any) -> URL:
    settings = connection.settings_dict
    return URL.create(
        connection.vendor,
        settings["USER"] or None,
        host=settings["HOST"] or None,
        port=int(settings["PORT"]) if settings["PORT"] else None,
        database=str(settings["NAME"]),
    )
