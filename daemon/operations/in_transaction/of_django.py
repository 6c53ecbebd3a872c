"""The trigger over Django's ``connection``, without Django: told by the name of its class."""

from typing import Any

from sqlalchemy import URL, Executable

from lease.database.backend import backend_named
from lease.fences.drivers import question_of

from ..request import Request, Requested, Rows
from .carriage import Passage, carried, schema_in
from .compiled import PYFORMAT, PYFORMAT_OF_SQLITE


def over_django(connection: Any, wanted: Request, schema: str | None) -> Requested:
    connection.ensure_connection()
    driver, backend = connection.connection, backend_named(connection.vendor)
    in_transaction = question_of(driver)
    writer, where = (PYFORMAT_OF_SQLITE if backend.is_embedded else PYFORMAT), schema_in(backend, schema)

    def send(statement: Executable) -> Rows:
        written = writer.write(statement, where)
        with connection.cursor() as cursor:
            cursor.execute(written.text, dict(written.values) or None)
            return cursor.fetchall() if cursor.description else ()

    file = None
    if backend.is_embedded:
        (_, _, file), *_ = driver.execute("PRAGMA database_list")
    there = URL.create(backend.name, database=str(connection.settings_dict["NAME"]))
    passage = Passage(wanted, backend, lambda: in_transaction(driver), there)
    return carried(passage, send, file=file)
