"""`python -m tests.chaos.soak --hours 2`: replicas at work without a pause, to see whether anything grows."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from tests.support.binaries import NoPostgresError
from tests.support.postgres import PostgresServer

from .campaign import make_slots
from .faults.fault import Scene
from .faults.network import Cut, Reset, Silence
from .faults.server import EndBackends
from .fleet import Fleet
from .site import PostgresSite

SLOTS = ("north", "south")
READINGS = 240
BREAK_EVERY = 20.0
MEGABYTE = 1 << 20
TABLES = ("lease", "schedule", "run", "job_run", "replica")


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading of all gauges. Sizes are in bytes."""

    at: float
    """Seconds since the soak began."""
    memory: int
    """The largest resident memory of a replica."""
    descriptors: int
    """The most descriptors that a replica has open."""
    threads: int
    connections: int
    """The connections of the server, without ours."""
    wal: int
    """The bytes ever written to the write-ahead log."""
    wal_files: int
    """The part of it that is on the disk."""
    tables: dict[str, int]
    """Each table with its indexes."""
    dead_leases: int
    """The dead rows in the table of leases."""
    hot: float
    """The share of updates of leases that touched no index."""
    runs: int
    """The number of runs so far."""


def main() -> int:
    """Return the exit status: 1 if a gauge has grown that must not, 2 without PostgreSQL."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0)
    seconds = parser.parse_args().hours * 3600
    folder = Path(tempfile.mkdtemp(prefix="leased-soak-"))
    folder.chmod(0o755)
    found: list[str] = []
    try:
        readings = list(soak(folder, seconds))
        found = grown(readings)
    except NoPostgresError as missing:
        sys.stderr.write(f"no soak: {missing}\n")
        return 2
    finally:
        if not found:
            shutil.rmtree(folder)
    _say("\n".join(table(readings)))
    _say("\n".join([*found, f"the logs are kept in {folder}"]) if found else "Nothing has grown that must not.")
    return 1 if found else 0


def soak(folder: Path, seconds: float) -> Iterator[Reading]:
    """Yield the readings, while replicas work and their connections are broken now and then."""
    starts = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=5)
    for name in ("diaries", "mischief"):
        (folder / name).mkdir()
    with ExitStack() as stack:
        site = stack.enter_context(PostgresSite(SLOTS, folder))
        fleet = Fleet(make_slots(site, SLOTS, starts, starts + timedelta(seconds=seconds)), folder)
        stack.callback(fleet.close)
        fleet.start()
        began = broken = time.monotonic()
        breaks = _breaks(Scene(site, fleet), Random(1))
        step = max(2.0, seconds / READINGS)
        while (at := time.monotonic() - began) < seconds:
            replicas = [pid for slot in fleet.slots if (pid := fleet.replica_pid(slot)) is not None]
            yield read(site.server, replicas, at)
            _forget_diaries(folder)
            if time.monotonic() - broken > BREAK_EVERY:
                next(breaks)
                broken = time.monotonic()
            time.sleep(step)
        fleet.stop()


def read(server: PostgresServer, replicas: list[int], at: float) -> Reading:
    """Read the gauges of the server and of these processes."""
    sizes = ", ".join(f"pg_total_relation_size('{name}')" for name in TABLES)
    ((connections, wal, wal_files, dead, hot, runs, *tables),) = server.psql(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),"
        " (SELECT pg_current_wal_lsn() - '0/0'), (SELECT sum(size) FROM pg_ls_waldir()),"
        " (SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'lease'),"
        " (SELECT n_tup_hot_upd::float / greatest(n_tup_upd, 1) FROM pg_stat_user_tables WHERE relname = 'lease'),"
        f" (SELECT count(*) FROM run), {sizes}"
    )
    return Reading(
        at=at,
        memory=max((_status(pid, "VmRSS") * 1024 for pid in replicas), default=0),
        descriptors=max((len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in replicas), default=0),
        threads=max((_status(pid, "Threads") for pid in replicas), default=0),
        connections=connections,
        wal=int(wal),
        wal_files=int(wal_files),
        tables=dict(zip(TABLES, tables, strict=True)),
        dead_leases=dead,
        hot=hot,
        runs=runs,
    )


def _status(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise LookupError(field)


def _breaks(scene: Scene, chance: Random) -> Iterator[None]:
    while True:
        kind = chance.choice([Cut, Silence, Reset, None])
        fault = EndBackends(scene, chance) if kind is None else kind(scene, chance, chance.choice(scene.fleet.slots))
        fault.start()
        time.sleep(chance.uniform(0.1, 3.0))
        fault.stop()
        yield


def _forget_diaries(folder: Path) -> None:
    """Discard facts, which are not read here."""
    for path in (folder / "diaries").glob("*.jsonl"):
        if time.time() - path.stat().st_mtime > 60:
            path.unlink()


# The gauges that must be flat, and by how much the lowest reading may differ between the second
# quarter and the last: a leak raises the floor, normal work does not. A job has 5 file descriptors.
FLAT: dict[str, tuple[Callable[[Reading], float], Callable[[float], float]]] = {
    "memory of a replica": (lambda reading: reading.memory, lambda before: max(before * 0.10, 8 * MEGABYTE)),
    "file descriptors of a replica": (lambda reading: reading.descriptors, lambda _: 10),
    "threads of a replica": (lambda reading: reading.threads, lambda _: 4),
    "connections": (lambda reading: reading.connections, lambda _: 4),
    "table of leases": (lambda reading: reading.tables["lease"], lambda before: max(before, 512 * 1024)),
    "table of replicas": (lambda reading: reading.tables["replica"], lambda before: max(before, 256 * 1024)),
    "table of schedules": (lambda reading: reading.tables["schedule"], lambda before: max(before, 256 * 1024)),
}


def grown(readings: Sequence[Reading]) -> list[str]:
    """Return, in words, which gauges have grown that must be flat."""
    found = []
    for name, (gauge, allowed) in FLAT.items():
        before, after = _quarter(readings, 1, gauge), _quarter(readings, 3, gauge)
        if after - before > allowed(before):
            found.append(f"{name} has grown from {before:g} to {after:g}")
    return found


def table(readings: Sequence[Reading]) -> Iterator[str]:
    """Yield the lines of a table: the lowest value of the second quarter and of the last."""
    seconds, runs = readings[-1].at - readings[0].at, readings[-1].runs - readings[0].runs
    yield f"Soak: {seconds / 3600:.2f} hours, {runs} runs"
    yield f"  {'':<32}{'2nd quarter':>14}{'last quarter':>14}"
    for name, (gauge, _) in FLAT.items():
        before, after = _quarter(readings, 1, gauge), _quarter(readings, 3, gauge)
        yield f"  {name:<32}{_shown(before):>14}{_shown(after):>14}"
    yield f"  heap-only renewals {readings[-1].hot:.1%}, dead rows of leases at most {max(r.dead_leases for r in readings)}"
    wal = readings[-1].wal - readings[0].wal
    yield f"  write-ahead log {wal / seconds / 1024:.1f} KB/s, at most {_shown(max(r.wal_files for r in readings))} on disk"
    for name in TABLES:
        growth = readings[-1].tables[name] - readings[0].tables[name]
        yield f"  table {name:<10} {_shown(readings[-1].tables[name]):>10}, {growth / max(1, runs):6.0f} bytes a run"


def _quarter(readings: Sequence[Reading], number: int, gauge: Callable[[Reading], float]) -> float:
    quarter = len(readings) // 4 or 1
    return min(gauge(reading) for reading in readings[number * quarter : (number + 1) * quarter] or readings[-1:])


def _shown(value: float) -> str:
    if value < 10_000:
        return f"{value:g}"
    return f"{value / MEGABYTE:.1f} MB" if value >= MEGABYTE else f"{value / 1024:.0f} KB"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
