"""A database with the witness of a campaign."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.chaos.site import WITNESS
from tests.support.postgres import plain


@pytest.fixture
def watched_url(database_url: str) -> str:
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(Path(database_url.partition("///")[2]))) as connection:
            connection.executescript((WITNESS / "sqlite.sql").read_text())
    else:
        with psycopg.connect(plain(database_url)) as connection:
            connection.execute((WITNESS / "postgres.sql").read_bytes())
    return database_url
