"""Greedy processes that all want one lease share it.

`LEASED_GREEDY_SECONDS=30 pytest tests/lease/calls/test_fairness.py -s` shows the turns of half a minute.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

pytestmark = pytest.mark.usefixtures("processes")

SECONDS = float(os.environ.get("LEASED_GREEDY_SECONDS", "5"))
GREEDY = """
import json, sys, threading, time
from lease import LeaseTiming
from lease.sync import LeaseClient

def stop():
    sys.stdin.readline()
    over.set()

with LeaseClient(sys.argv[1], timing=LeaseTiming(60), label=sys.argv[2]) as client:
    print("ready", flush=True)
    sys.stdin.readline()
    over, turns = threading.Event(), []
    threading.Thread(target=stop, daemon=True).start()
    while not over.is_set():
        with client.hold("a", wait=None):
            turns.append(time.monotonic())
        if len(turns) == 1:
            print("has had a turn", flush=True)
    print(json.dumps(turns), flush=True)
"""


@contextmanager
def process(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def said(started: subprocess.Popen[str]) -> str:
    assert started.stdout is not None
    return started.stdout.readline().strip()


@pytest.mark.extended
def test_greedy_processes_get_equal_shares(database_url: str) -> None:
    """The fewest turns are at least half of the most, while all take part: one alone has a thousand a second."""
    with ExitStack() as stack:
        greedy = [stack.enter_context(process(GREEDY, database_url, f"greedy {number}")) for number in range(8)]
        assert [said(one) for one in greedy] == ["ready"] * len(greedy)
        for one in greedy:
            print(file=one.stdin, flush=True)
        assert [said(one) for one in greedy] == ["has had a turn"] * len(greedy)
        time.sleep(SECONDS)
        for one in greedy:
            print(file=one.stdin, flush=True)
        taken = [json.loads(said(one)) for one in greedy]
    begin, end = max(of_one[0] for of_one in taken), min(of_one[-1] for of_one in taken)
    turns = sorted(sum(begin <= at <= end for at in of_one) for of_one in taken)
    assert end - begin > SECONDS / 2, "they took part together for long enough"
    print(f"\n{turns} turns in {end - begin:.1f} s: {sum(turns) / (end - begin):.0f} a second")  # noqa: T201 - for who runs it by hand
    assert turns[0] >= turns[-1] / 2, turns
