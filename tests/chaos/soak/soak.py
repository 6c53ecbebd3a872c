"""`python -m tests.chaos.soak`: replicas at work for hours, to see whether anything grows.

python -m tests.chaos.soak --hours 2 [--json FILE]
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from tests.support.binaries import NoPostgresError

from ..campaign import make_slots
from ..faults.fault import Scene
from ..faults.network import Cut, Reset, Silence
from ..faults.server import EndBackends
from ..fleet import Fleet
from ..site import PostgresSite
from .gauges import TABLES, Reading, read

SLOTS = ("north", "south")
READINGS = 240
BREAK_EVERY = 20.0
MEGABYTE = 1 << 20


def main() -> int:
    """Return the exit status: 1 if a gauge has grown that must not, 2 without PostgreSQL."""
    options = _options()
    seconds = options.hours * 3600
    folder = Path(tempfile.mkdtemp(prefix="leased-soak-"))
    folder.chmod(0o755)
    found: list[str] = []
    try:
        readings = list(soak(folder, seconds, options.seed))
        found = grown(readings)
    except NoPostgresError as missing:
        sys.stderr.write(f"no soak: {missing}\n")
        return 2
    finally:
        if not found:
            shutil.rmtree(folder)
    _say("\n".join(table(readings)))
    _say("\n".join([*found, f"the logs are kept in {folder}"]) if found else "Nothing has grown that must not.")
    if options.json is not None:
        told = {"seconds": seconds, "grown": found, "readings": [asdict(reading) for reading in readings]}
        options.json.write_text(json.dumps(told, indent=1) + "\n")
    return 1 if found else 0


def soak(folder: Path, seconds: float, seed: int) -> Iterator[Reading]:
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
        breaks = _breaks(Scene(site, fleet), Random(seed))
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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
