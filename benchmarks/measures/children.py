"""Children: functions in a process of their own."""

import json
from pathlib import Path

from sqlalchemy import select

from daemon.store.tables import job_run

from ..benchmark import Benchmark
from ..figures import Figure, at_most
from ..replicas.process import running, wait_until_ready
from ..replicas.quantiles import quantile
from ..replicas.reading import Reader, reading
from ..site import Site, migrated
from ..stores import Store

_FILE = """
import json
import os
import time

from daemon import Schedules

schedules = Schedules("children")


@schedules.every("1000h", name="child", timeout="1m")
def child(run):
    at = time.time()
    with open("/proc/self/smaps_rollup") as file:
        kib = {{line.split(":")[0]: int(line.split()[1]) for line in file.readlines()[1:]}}
    own = kib["Private_Clean"] + kib["Private_Dirty"]
    with open({answers!r}, "a") as file:
        file.write(json.dumps([at, own * 1024 / 1e6, kib["Pss"] * 1024 / 1e6]) + "\\n")
"""


def measure(site: Site) -> list[Figure]:
    """Measure on each database."""
    return [figure for store in site.stores for figure in _on(site, store)]


def _on(site: Site, store: Store) -> list[Figure]:
    folder = site.new_folder()
    file, answers = folder / "children.py", folder / "answers"
    file.write_text(_FILE.format(answers=str(answers)), encoding="utf-8")
    with migrated(store) as url, reading(url) as reader, running(url, file) as replica:
        wait_until_ready(reader, replica)
        _child(reader, answers)  # the template loads FILE for the first
        rounds = site.in_rounds(
            lambda _: [_child(reader, answers) for _ in range(site.size(20, 3))], f"children on {store.facts.database}"
        )
    waits, own, share = ([tuple(child[index] for child in children) for children in rounds] for index in range(3))
    database = store.facts.database
    half = [tuple(quantile(values, 0.5) for values in of_rounds) for of_rounds in (waits, own, share)]
    return [
        Figure("start to first line, p50", "ms", half[0], database, must=at_most(50)),
        Figure("start to first line, longest", "ms", tuple(map(max, waits)), database),
        Figure("memory of its own", "MB", half[1], database, must=at_most(10)),
        Figure("memory with its share of what is shared", "MB", half[2], database),
    ]


def _child(reader: Reader, answers: Path) -> tuple[float, float, float]:
    """Run one, and return the milliseconds from its start to its first line, and its memory in MB: its own, and with shares."""
    run_id = reader.trigger("children", "child")
    reader.wait_for_success(run_id)
    ((started_at,),) = reader.rows(select(job_run.c.started_at).where(job_run.c.run_id == run_id))
    at, own, share = json.loads(answers.read_text(encoding="utf-8").splitlines()[-1])
    return (at - started_at.timestamp()) * 1_000, own, share


BENCHMARK = Benchmark(
    "children",
    "Children",
    """A function that runs in a process of its own, 20 times a round, one after the other. Its start is the one that the
database records, with the claim, before that is committed; the first line takes the time, and what the kernel says of the
memory of the process (`smaps_rollup`): what is private to it, and with its share of what it has in common with others.""",
    measure,
)
