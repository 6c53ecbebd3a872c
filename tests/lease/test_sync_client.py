"""The sync client: threads, forks, signals, and processes that are stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine

from lease import InvalidDuration, clock
from lease.sync import LeaseClient
from tests.lease.stores import STEADY, Recorder, Tables, in_thread
from tests.support.forking import in_forked_child
from tests.support.starvation import Starvation
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.usefixtures("passing_seconds")


@pytest.fixture
def client(database_url: str, told: Recorder) -> Iterator[LeaseClient]:
    with LeaseClient(database_url, timing=STEADY, on_event=told) as client:
        yield client


def test_a_lease_is_held_during_the_block_and_free_after_it(
    client: LeaseClient, tables: Tables, engine: Engine
) -> None:
    with client.hold("a", wait="5s") as held:
        assert (held.token, held.holder) == (1, client.holder)
        held.ensure()
        with engine.begin() as connection:
            held.fence(connection)
        assert tables.record("a").grant == held.grant
    assert tables.record("a").holder is None
    with pytest.raises(InvalidDuration):
        client.acquire("a", wait="soon")


def test_an_exception_of_the_block_is_not_covered_by_the_loss(client: LeaseClient, tables: Tables) -> None:
    with pytest.raises(ZeroDivisionError), client.hold("a") as held:  # noqa: PT012 - raised at its end
        tables.end_dead(held.grant)
        assert held.lost.wait(LIMIT)
        raise ZeroDivisionError


def test_leading_goes_on_until_the_caller_leaves(client: LeaseClient, tables: Tables) -> None:
    tokens = []
    for held in client.lead("leader"):
        tokens.append(held.token)
        if len(tokens) == 2:
            break
    del held
    assert tokens == [1, 2]
    wait_until(lambda: tables.record("leader").holder is None, "the last leadership is released")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from Python 3.12 on
@pytest.mark.usefixtures("processes")
def test_a_client_used_after_a_fork_refuses_with_a_sentence(client: LeaseClient) -> None:
    held = client.acquire("a")
    for call in (lambda: client.try_acquire("b"), lambda: client.read("a"), held.release):
        assert in_forked_child(call).startswith(
            "LeaseError: this client was made before os.fork(); make a LeaseClient in the child process"
        )
    held.ensure()
    assert held.release()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("processes")
def test_a_lease_used_after_a_fork_refuses_with_a_sentence_and_tells_only_what_it_was(
    client: LeaseClient, engine: Engine
) -> None:
    with client.hold("a") as held, engine.connect() as connection:
        for call in (
            held.ensure,
            held.remaining,
            lambda: held.fence(connection),
            lambda: held.lost,
            lambda: held.loss,
            lambda: held.trusted_until,
            lambda: held.watch(print),
            lambda: held.on_lost(print),
        ):
            said = in_forked_child(call)
            assert said.startswith("LeaseError: lease 'a' was acquired before os.fork(), and only the parent"), said
        told = in_forked_child(lambda: (held.name, held.token, held.holder, held))
        assert told == f"('a', 1, '{held.holder}', <Lease 'a' token=1 inherited by os.fork()>)"
        held.ensure()


def test_a_thread_is_not_taken_for_an_earlier_one_whose_number_it_got(client: LeaseClient) -> None:
    """The operating system gives the number of a thread that has ended to the next one."""
    with in_thread(lambda: client.acquire("a")) as acquired:
        held = acquired()
    with ExitStack() as stack:
        results = [stack.enter_context(in_thread(lambda: client.acquire("a", wait=LIMIT).release())) for _ in range(3)]
        time.sleep(0.1)
        held.release()
        assert [result() for result in results] == [True] * 3


TTL = 3.0
HOLDER = """
import json, sys, time
from lease import LeaseTiming, clock, events, errors, fence
from lease.sync import LeaseClient
from sqlalchemy import create_engine

def tell(kind, **facts):
    print(json.dumps({"kind": kind, "at": clock.boottime(), **facts}), flush=True)

url = sys.argv[1]
engine = create_engine(url)
with LeaseClient(url, timing=LeaseTiming(ttl=float(sys.argv[2])), on_event=lambda event: None) as client:
    held = client.try_acquire("a")
    tell("held", token=held.token)
    held.lost.wait(60)
    tell("lost", cause=held.loss.cause, reason=held.loss.kind)
    with engine.connect() as connection:
        try:
            fence(connection, held.grant)  # held.fence would not even ask
            tell("fenced")
        except errors.LeaseLost as error:
            tell("refused", said=str(error))
    tell("released", well=held.release())
    sys.stdin.read()
"""


@contextmanager
def holding(url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds lease `a`."""
    command = [sys.executable, "-c", HOLDER, url, str(TTL)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def hears(process: subprocess.Popen[str], kind: str) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the holder has ended"
    told: dict[str, Any] = json.loads(line)
    assert told["kind"] == kind, told
    return told


@pytest.mark.skipif(sys.platform != "linux", reason="stops a process")
@pytest.mark.usefixtures("processes")
def test_a_holder_that_was_stopped_for_longer_than_the_ttl_is_told_at_once_and_changes_nothing(
    database_url: str, tables: Tables, starvation: Starvation
) -> None:
    """Else it would be a zombie that finishes somebody else's run."""
    with holding(database_url) as holder:
        assert hears(holder, "held")["token"] == 1
        os.kill(holder.pid, signal.SIGSTOP)
        wait_until(lambda: tables.grant("a", holder="ben"), "the lease went stale and is granted to another")
        stolen = tables.record("a").grant
        continued = clock.boottime()
        os.kill(holder.pid, signal.SIGCONT)
        lost = hears(holder, "lost")
        starvation.assert_within(1.0, continued, lost["at"], "it is told")
        assert lost["reason"] == "suspended"
        assert lost["cause"].startswith("this process was suspended or starved for ")
        assert "token 1 has ended" in hears(holder, "refused")["said"]
        assert hears(holder, "released")["well"] is False
        assert tables.record("a").grant == stolen
