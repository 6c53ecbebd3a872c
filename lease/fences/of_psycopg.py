"""The fence over psycopg's own connections, sync and async."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import URL

from .. import statements
from ..errors import LeaseError
from .proof import Proof

if TYPE_CHECKING:
    import psycopg

_REMEDY = "connection.transaction()"


def fence_psycopg(connection: "psycopg.Connection[Any]", proof: Proof) -> None:
    from psycopg import Cursor, rows  # noqa: PLC0415 - the program has loaded it

    with proof.given(_place(connection), connection, remedy=_REMEDY):
        # A cursor of our own: the connection's may take other parameters, and make anything of a row.
        cursor = Cursor(connection, row_factory=rows.tuple_row).execute(*_call(proof), prepare=False)
        statements.refuse_other_database(cursor.fetchone(), proof.identity)


async def fence_async_psycopg(connection: "psycopg.AsyncConnection[Any]", proof: Proof) -> None:
    from psycopg import AsyncCursor, rows  # noqa: PLC0415

    with proof.given(_place(connection), connection, remedy=_REMEDY):
        cursor = AsyncCursor(connection, row_factory=rows.tuple_row)
        await cursor.execute(*_call(proof), prepare=False)
        statements.refuse_other_database(await cursor.fetchone(), proof.identity)


def _place(connection: "psycopg.Connection[Any] | psycopg.AsyncConnection[Any]") -> URL:
    info = connection.info
    if info.pipeline_status:
        raise LeaseError("fence needs its answer at once, and a pipeline delays it: call it before the pipeline begins")
    return URL.create("postgresql", info.user, host=info.host, port=info.port, database=info.dbname)


def _call(proof: Proof) -> tuple[bytes, dict[str, Any]]:
    text = statements.fence_call("%({})s", proof.schema, proof.identity)
    return text.encode(), statements.fence_values(proof.grant, proof.bound, proof.identity)
