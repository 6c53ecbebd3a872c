"""A short history on a server whose clock steps, judged with each correction and without it."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

import lease.statements
from daemon.store import migrations
from lease.model import Grant
from tests.chaos.diary import boottime
from tests.chaos.effect import write
from tests.chaos.history import Clocks, witnessed
from tests.chaos.site import WITNESS
from tests.checker import Promise, check
from tests.checker.facts import Fact
from tests.support.binaries import Binaries
from tests.support.moved_clock import MISSING, ClockedServer, library
from tests.support.postgres import plain

from .promises import granted_while_live, in_true_time
from .site import witness
from .steps import Step, SteppedClocks, Steps

pytestmark = [pytest.mark.skipif(library() is None, reason=MISSING), pytest.mark.usefixtures("processes")]

MINUTE = 60.0
AS_SHOWN = b"CREATE OR REPLACE FUNCTION witness_clock() RETURNS timestamptz LANGUAGE sql AS 'SELECT clock_timestamp()'"
"""A witness that goes by the clock that steps."""
NO_FENCE = (
    b"CREATE OR REPLACE FUNCTION lease_fence(name text, token bigint, holder text, bound interval DEFAULT '30 s')"
    b" RETURNS void LANGUAGE sql AS ''"
)


@dataclass(frozen=True, slots=True)
class History:
    """What was written down, and the steps meanwhile."""

    facts: list[Fact]
    steps: Steps
    zombie: str
    """The answer to the write of one whose lease another was granted."""

    def violations(self, steps: Steps | None = None) -> set[Promise]:
        clocks = SteppedClocks.of(Clocks.now(), steps or self.steps)
        found = check(in_true_time(self.facts, clocks))
        return {one.promise for one in (*found, *granted_while_live(self.facts, clocks))}


@pytest.fixture(scope="module")
def server(postgres_programs: Binaries) -> Iterator[ClockedServer]:
    with ClockedServer(postgres_programs) as started:
        migrations.upgrade(started.url("template1"))
        with psycopg.connect(plain(started.url("template1"))) as connection:
            connection.execute((WITNESS / "postgres.sql").read_bytes())
            connection.execute(witness(started.clock))
        yield started


def play(server: ClockedServer, name: str, *changes: bytes) -> History:
    """Let a lease be taken early after a step forward, and its first holder write after the step back."""
    server.psql(f"CREATE DATABASE {name}")
    url = server.url(name)
    steps: list[Step] = []
    for change in changes:
        with psycopg.connect(plain(url)) as session:
            session.execute(change)
    engine = create_engine(url, poolclass=NullPool)

    def step(seconds: float) -> None:
        server.step(seconds)
        steps.append(Step(boottime(), seconds))

    def grant(connection: Connection, holder: str) -> Grant:
        (granted,) = lease.statements.grant(connection, ["a"], holder, 10.0)
        return Grant(granted.name, granted.token, holder)

    with engine.begin() as connection:
        first = grant(connection, "one")
    step(MINUTE)
    with engine.begin() as connection:
        second = grant(connection, "two")
    step(-MINUTE)
    zombie, _ = write(url, (first.name, first.token, first.holder), None, "zombie")
    assert write(url, (second.name, second.token, second.holder), None, "second")[0] == "written"
    with engine.begin() as connection:
        assert lease.statements.release(connection, second).released
    with engine.begin() as connection:
        assert grant(connection, "three").token == 3
    with engine.connect() as connection:
        return History(list(witnessed(connection, Clocks.now())), Steps(steps), zombie)


def test_a_good_history_is_found_good_and_only_in_true_time(server: ClockedServer) -> None:
    history = play(server, "good")
    assert history.zombie == "refused"
    assert history.violations() == set()
    assert history.violations(Steps()) == {Promise.OVERLAP}
    as_shown = play(server, "as_shown", AS_SHOWN)
    assert Promise.TOKENS in as_shown.violations()


def test_the_write_of_a_zombie_is_found_and_only_in_true_time(server: ClockedServer) -> None:
    history = play(server, "no_fence", NO_FENCE)
    assert history.zombie == "written"
    assert history.violations() == {Promise.WRITES}
    as_shown = play(server, "no_fence_as_shown", NO_FENCE, AS_SHOWN)
    assert as_shown.zombie == "written"
    assert Promise.WRITES not in as_shown.violations()
