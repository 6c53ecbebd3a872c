"""Recovery: from the death of a replica to the next attempt of the run that it had."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from sqlalchemy import select, update

from daemon.store.tables import job_run, replica, run

from ..benchmark import Benchmark
from ..figures import Figure, at_most
from ..replicas.process import Running, running
from ..replicas.reading import reading
from ..site import Site, migrated
from ..stores import Store

_FILE = """
import time

from daemon import Schedules

schedules = Schedules("recovery")


@schedules.every("1000h", name="long", timeout="1h")
def long(run):
    if run.attempt == 1:
        time.sleep(3600)
"""
_TTL = 3.0
_ELSEWHERE = "pid:[1]"
"""A pid namespace that is not ours: what runs there cannot be proven dead from here."""


def measure(site: Site) -> list[Figure]:
    """Kill replicas of each kind, on each database."""
    return [figure for store in site.stores for figure in _on(site, store)]


def _on(site: Site, store: Store) -> list[Figure]:
    shown = []
    for label, replicas, moves, times, most in (
        ("on the same machine", 2, False, 3, 0.5),
        ("under a supervisor", 1, False, 3, 0.5),
        (f"on another machine (ttl {_TTL:g} s)", 2, True, 1, _TTL + 0.5),
    ):
        with ExitStack() as stack:
            pair = _Pair(site, store, stack, apart=replicas == 2)
            recover = partial(pair.recover, times=site.size(times, 1), moves=moves)
            rounds = site.in_rounds(recover, f"recoveries {label}, on {store.facts.database}")
            shown.append(Figure(label, "s", tuple(rounds), store.facts.database, must=at_most(most)))
    return shown


class _Pair:
    """Two replicas on one database, by themselves or under one supervisor."""

    def __init__(self, site: Site, store: Store, stack: ExitStack, *, apart: bool) -> None:
        file = site.new_folder() / "recovery.py"
        file.write_text(_FILE, encoding="utf-8")
        url = stack.enter_context(migrated(store))
        self._reader = stack.enter_context(reading(url))
        self._stack = stack
        flags = ("--ttl", f"{_TTL:g}s")
        self._start: Callable[[], AbstractContextManager[Running]] | None = None
        if apart:
            self._start = lambda: running(url, file, *flags)
            self._processes = [stack.enter_context(self._start()) for _ in range(2)]
        else:
            self._processes = [stack.enter_context(running(url, file, "--replicas", "2", *flags))]

    def recover(self, _round: int, *, times: int, moves: bool) -> float:
        """Kill the holder of a run so many times, and return the median of the seconds until its next attempt."""
        return median(self._recover(moves=moves) for _ in range(times))

    def _recover(self, *, moves: bool) -> float:
        """Kill the holder of a run, and return the seconds until its next attempt; then replace the dead."""
        reader = self._reader
        reader.wait(lambda: len(self._living()) >= 2, "two replicas are ready")
        run_id = reader.trigger("recovery", "long")
        holders = select(replica.c.pid).join(run, run.c.holder == replica.c.holder).where(run.c.id == run_id)
        working = holders.join(job_run, job_run.c.run_id == run.c.id).where(job_run.c.keeper_pid.is_not(None))
        reader.wait(lambda: bool(reader.rows(working)), "the run is at work")
        ((pid,),) = reader.rows(holders)
        if moves:
            reader.change(update(replica).where(replica.c.pid == pid).values(pid_namespace=_ELSEWHERE))
        killed = time.time()
        os.kill(pid, signal.SIGKILL)
        reader.wait_for_success(run_id)
        self._replace(pid)
        second = select(job_run.c.started_at).where(job_run.c.run_id == run_id, job_run.c.attempt == 2)
        return float(reader.rows(second)[0][0].timestamp() - killed)

    def _living(self) -> list[int]:
        """Return the pids of the replicas that are ready and alive."""
        ready = select(replica.c.pid).where(replica.c.ready_at.is_not(None), replica.c.state == "running")
        return [pid for (pid,) in self._reader.rows(ready) if _is_alive(pid)]

    def _replace(self, pid: int) -> None:
        """Start another for one that was by itself; a supervisor does so by itself."""
        for index, one in enumerate(self._processes):
            if one.pid == pid and self._start is not None:
                one.process.wait()
                self._processes[index] = self._stack.enter_context(self._start())


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


BENCHMARK = Benchmark(
    "recovery",
    "Recovery",
    """Two replicas (`leased run --ttl 3s`); the one that has a run, whose function is at work in a process of its own, is
killed with SIGKILL. The time is that from the signal to the start of the next attempt, by the clock of the machine, which
is the database's too; that the first attempt's process is gone is part of it. On the same machine the death is proven; under
a supervisor (`--replicas 2`) too; of a replica on another machine it cannot be, so that its lease must end: there the
replica's row is moved to another pid namespace before it is killed. A round is the median of three
deaths, and of the latter kind one.""",
    measure,
)
