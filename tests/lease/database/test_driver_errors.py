"""The errors of drivers: each is told in one sentence, with the remedy where one is known."""

import sqlite3

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from lease import LeaseError, SchemaMissing, StoreUnavailable
from lease.database.driver_errors import explain, is_harmless, one_line, sqlite_name, sqlstate

URL = make_url("postgresql://anna:secret@db/shop")


class OfPostgres(Exception):
    def __init__(self, code: str, said: str = "no") -> None:
        super().__init__(said)
        self.sqlstate = code


class OfPsycopg2(Exception):
    pgcode = "42501"


def wrapped(error: Exception, statement: str = "") -> DBAPIError:
    return DBAPIError(statement, {}, error)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ('password authentication failed for user "anna"', "check the user and the password in its URL"),
        ("fe_sendauth: no password supplied", "check the user and the password in its URL"),
        ('role "anna" does not exist', "check the user and the password in its URL"),
        ('database "shop" does not exist', "create it, or correct its name in the URL"),
        ("Connection refused", "start its server, or correct host and port in the URL"),
        ("Connect call failed ('127.0.0.1', 1)", "start its server, or correct host and port in the URL"),
        (
            'connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed: No such file or directory',
            "start its server, or correct host and port in the URL",
        ),
        ('could not translate host name "db" to address', "correct the host in its URL"),
        ("failed to resolve host 'db': [Errno -2] Name or service not known", "correct the host in its URL"),
        ('too many connections for role "anna"', "raise the limit of its role, database or server"),
        ("sorry, too many clients already", "raise the limit of its role, database or server"),
        ("remaining connection slots are reserved", "raise the limit of its role, database or server"),
    ],
)
def test_a_server_that_lets_nobody_in_is_told_with_the_remedy(said: str, remedy: str) -> None:
    assert f": {said}; {remedy}" in str(explain(OSError(said), URL))


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (
            "permission denied for table lease",
            "; let its owner grant this with GRANT SELECT, INSERT, UPDATE, DELETE ON",
        ),
        ("permission denied for schema leases", "; let its owner grant this with GRANT USAGE ON SCHEMA public TO anna"),
        ("permission denied for function lease_fence", "GRANT EXECUTE ON FUNCTION public.lease_fence TO anna"),
        ("permission denied for function pg_control_system", "GRANT EXECUTE ON FUNCTION pg_control_system TO anna"),
        ("permission denied for database shop", "; let its owner grant this"),
        ("permission denied for sequence act_id_seq", "; run this as the owner of leased's tables"),
        ("must be owner of table lease", "; run this as the owner of leased's tables"),
    ],
)
def test_a_right_that_is_missing_is_told_with_what_grants_it(said: str, remedy: str) -> None:
    explained = explain(OfPostgres("42501", said), URL)
    assert isinstance(explained, StoreUnavailable)
    assert remedy in str(explained)


@pytest.mark.parametrize(
    ("url", "role"),
    [
        ("postgresql://Anna@db/shop", '"Anna"'),
        ('postgresql://a"b@db/shop', '"a""b"'),
        ("postgresql:///shop", "its user"),
    ],
)
def test_who_is_granted_a_right_is_written_as_sql_takes_it(url: str, role: str) -> None:
    explained = explain(OfPostgres("42501", "permission denied for table lease"), make_url(f"{url}?schema=leases"))
    assert str(explained).endswith(f" ON ALL TABLES IN SCHEMA leases TO {role}")


@pytest.mark.parametrize(
    ("statement", "rights"),
    [
        ("SELECT * FROM lease", "SELECT"),
        ("SELECT * FROM lease FOR SHARE", "SELECT, INSERT, UPDATE, DELETE"),
        ("DELETE FROM lease", "SELECT, INSERT, UPDATE, DELETE"),
    ],
)
def test_who_only_reads_needs_no_right_to_write(statement: str, rights: str) -> None:
    refused = wrapped(OfPostgres("42501", "permission denied for table lease"), statement)
    assert f"with GRANT {rights} ON" in str(explain(refused, URL))


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (OfPostgres("42P01"), SchemaMissing, r"does not have leased's tables; .* lease\.create_tables"),  # no table
        (OfPostgres("42883"), SchemaMissing, "does not have leased's tables"),  # no function
        (OfPostgres("3F000"), SchemaMissing, "does not have leased's tables"),  # no schema
        (sqlite3.OperationalError("no such table: lease"), SchemaMissing, "does not have leased's tables"),
        (OfPostgres("42703"), SchemaMissing, "is of an older version of leased"),  # no column
        (OfPostgres("22021"), LeaseError, "cannot store this: no; use characters of its encoding"),
        (OfPostgres("22P05"), LeaseError, "cannot store this: no; use characters of its encoding"),
        (OfPostgres("22001"), LeaseError, "cannot store this: no$"),  # too long
        (OfPostgres("25006"), StoreUnavailable, "cannot be used: no; it is a standby"),
        (OfPostgres("57P01"), StoreUnavailable, "cannot be used: no$"),
    ],
)
def test_an_error_of_each_kind_is_told(error: Exception, kind: type[LeaseError], says: str) -> None:
    for one in (error, wrapped(error)):
        with pytest.raises(kind, match=says) as told:
            raise explain(one, URL)
        assert type(told.value) is kind


@pytest.mark.parametrize(
    ("code", "harmless"), [("23505", True), ("40P01", True), ("55P03", True), ("25006", False), ("57P01", False)]
)
def test_a_connection_is_kept_after_a_conflict_and_not_after_its_server_changed(code: str, harmless: bool) -> None:
    assert is_harmless(wrapped(OfPostgres(code))) is harmless


def test_an_error_that_says_nothing_is_called_by_its_name() -> None:
    assert str(explain(TimeoutError(), URL)).endswith("/shop cannot be used: TimeoutError")


def test_an_error_is_known_by_its_code_whoever_wraps_it() -> None:
    caused = RuntimeError()
    caused.__cause__ = OfPsycopg2()
    for error in (OfPsycopg2(), wrapped(OfPsycopg2()), caused):
        assert sqlstate(error) == "42501"
        assert sqlite_name(error) == ""


def test_of_several_attempts_to_connect_the_last_one_is_told() -> None:
    said = "Multiple connection attempts failed. All failures were:\n- host: 'a': no\n - host: 'b': secret\n"
    assert one_line(said, URL) == "host: 'b': ***"
