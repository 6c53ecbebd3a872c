"""Programs whose processes are hard to catch, and a stand-in for a replica that the tests can kill and stop."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from daemon.jobs.processes.process_tree import STATE, stat

ROOT = Path(__file__).parents[3]

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="a whole tree can only be ended where there is Linux's subreaper"
)

FAMILY = [
    sys.executable,
    "-c",
    """
import os, time
grandchild = os.fork()
if not grandchild:
    time.sleep(1000)
reading, writing = os.pipe()
first = os.fork()
if not first:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.write(writing, str(os.getpid()).encode())
    time.sleep(1000)
os.waitpid(first, 0)
print("family", os.getpid(), grandchild, os.read(reading, 20).decode(), flush=True)
time.sleep(1000)
""",
]
"""A child, its child, and one that went away by double fork and setsid; their process ids on a line."""

STORM = [
    sys.executable,
    "-c",
    """
import os, time
print("storm", os.getpid(), flush=True)
for generation in range(4000):
    if generation % 100 == 0 and not os.fork():
        os.setsid()
        time.sleep(1000)
    if os.fork():
        os._exit(0)
time.sleep(1000)
""",
]
"""Each process forks and exits at once, thousands of times; every hundredth leaves one behind in a session of its own."""

STAND_IN = """
import asyncio, json, os, signal, sys, time
from daemon.jobs.output import Output
from daemon.jobs.processes.child import Child
from daemon.jobs.processes.trust_page import TrustPages
from daemon.jobs.templates.templates import Template
from daemon.jobs.templates.templates import launch_bare
from lease.clock import boottime
from tests.daemon.jobs.trust import end_trust

async def main():
    order = json.loads(sys.argv[1])
    page = TrustPages(1).take(boottime() + 3600)
    said = asyncio.get_running_loop().create_future()
    template = Template(launch_bare) if order["template"] else None
    assert template is None or await template.is_ready()
    child = await Child.spawn(
        order["argv"], cwd=None, env=dict(os.environ), trust=page, template=template, output=Output(lambda lines: said.set_result(lines[0]))
    )
    await child.go()
    fork = os.fork() if order["fork"] else None
    if fork == 0:
        time.sleep(1000)
    told = {"keeper": child.keeper.pid, "line": await said, "fork": fork, "template": template and template.pid}
    told["until"] = page._until if order["trust"] is None else end_trust(page, order["trust"])
    print(json.dumps(told), flush=True)
    if order["stop"]:
        os.kill(os.getpid(), signal.SIGSTOP)
    await child.ended()

asyncio.run(main())
"""


def stand_in(
    argv: list[str],
    *,
    template: bool = False,
    trust: float | None = None,
    stop: bool = False,
    fork: bool = False,
) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """Start a process that runs `argv` under a keeper; return it and what it tells once that has printed a line.

    Its trust ends `trust` seconds after that line, or in an hour. With `stop` it stops itself then (SIGSTOP).
    With `template` the keeper is forked from one.
    """
    order = json.dumps({"argv": argv, "trust": trust, "stop": stop, "fork": fork, "template": template})
    replica = subprocess.Popen(
        [sys.executable, "-c", STAND_IN, order],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert replica.stdout is not None
    return replica, json.loads(replica.stdout.readline())


def pids(line: str) -> list[int]:
    """The process ids on a line that a program above printed."""
    return [int(word) for word in line.split()[1:]]


def living(some: Iterable[int]) -> list[int]:
    """Those of the processes that are neither gone nor zombies."""
    return [pid for pid in some if (fields := stat(pid)) is not None and fields[STATE] not in b"ZX"]


def state(pid: int) -> bytes:
    """That of a process in /proc: T if it is stopped, Z if it is a zombie."""
    fields = stat(pid)
    return b"" if fields is None else fields[STATE]


def open_descriptors() -> int:
    """How many file descriptors this process has."""
    return sum(1 for _ in Path("/dev/fd").iterdir())
