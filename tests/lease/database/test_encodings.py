"""Databases in other encodings than UTF8, as old servers have them."""

from collections.abc import Iterator

import psycopg
import pytest

from daemon.store import migrations
from lease import LeaseError, LeaseNotAcquired, StoreUnavailable
from lease.sync import LeaseClient
from tests.lease.stores import SELDOM
from tests.support.databases import Server, drop_database
from tests.support.postgres import plain, query


@pytest.fixture(scope="module", params=["SQL_ASCII", "LATIN1"])
def url(postgres_server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"leased_test_{request.param.lower()}"
    query(
        postgres_server.url,
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{request.param}' LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    url = postgres_server.url.rpartition("/")[0] + f"/{name}"
    try:
        migrations.upgrade(url)
        yield url
    finally:
        drop_database(postgres_server.url, name)


@pytest.mark.parametrize("name", ["a", "ä"])
def test_names_and_labels_come_back_as_they_were_given(url: str, name: str) -> None:
    with (
        LeaseClient(url, timing=SELDOM, label="ö") as client,
        LeaseClient(url, timing=SELDOM) as other,
        client.hold(name) as held,
    ):
        with pytest.raises(LeaseNotAcquired, match=f"lease '{name}' is held by ö"):
            other.acquire(name, wait=0.01)  # in the queue
        assert [record.label for record in client.list(name)] == ["ö"]
        with psycopg.connect(plain(url)) as connection:
            held.fence(connection)


def test_what_an_encoding_does_not_have_is_refused_with_a_sentence(url: str) -> None:
    """No reason to try again; and a database that stores bytes as they come takes it."""
    with LeaseClient(url, timing=SELDOM) as client:
        if "ascii" in url:
            client.acquire("→").release()
            return
        with pytest.raises(LeaseError, match='no equivalent in encoding "LATIN1"; use characters of') as refused:
            client.acquire("→", wait="5s")
        assert not isinstance(refused.value, StoreUnavailable)
        assert "\n" not in str(refused.value)
