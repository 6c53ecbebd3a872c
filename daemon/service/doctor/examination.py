"""The examination: all that is read and measured for the checks, which are pure."""

import os
import pwd
import re
import resource
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from lease.database.address import describe, parse_address
from lease.database.backend import backend_of
from lease.database.file_systems import network_file_system
from lease.errors import StoreUnavailable

from ...errors import SchemaNotReady
from ...operations.generations import GenerationStanding, beside_each_other, of_generations, read_standings
from ...recovery.deaths import neighbours, proven_dead
from ...states import LIVE
from ...store import migrations
from ...store.migrations.state import opened_for_reading
from ...store.statements.schedule import database_time
from ...store.views.locks import Lock, read_locks
from ...store.views.problems import Problem
from ...store.views.replicas import ReplicaLine, read_replicas
from ...store.views.server import Server, read_server
from ..settings import Settings

if TYPE_CHECKING:
    import psycopg

_ROUNDS = 5
_HEARD_WITHIN = 2.0
_CHANNEL = "leased_doctor"
_PEOPLE = range(1_000, 60_000)
_LONGEST = 10.0
"""Seconds that a statement may take: whoever asks what is wrong must not wait for it."""
_SYSTEMCTL = ("systemctl", "show", "*.service", "--property=Id,ExecStart,TimeoutStopUSec")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


@dataclass(frozen=True, slots=True)
class DatabaseFile:
    path: str
    mode: int
    """Its permissions."""
    may_write: bool
    """This user may write to the file, and to its folder."""
    network: str | None
    """The kind of network file system that it is on."""
    journal: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What there is; without a database only what is known of this machine and of the settings."""

    settings: Settings
    database: str
    descriptors: int | None
    """As many as this process may open; None: no limit."""
    stops: Sequence[tuple[str, float]] = ()
    """By service of systemd that runs `leased run`, how many seconds it may take to stop."""
    in_kubernetes: bool = False
    others: Sequence[str] = ()
    """The other people who can log in to this machine, as far as it lists them."""
    connect: float = 0.0
    """Seconds until the first answer, connecting included."""
    round_trip: float = 0.0
    clock_offset: float = 0.0
    """How many seconds the database's clock is ahead of this machine's."""
    schema_problem: str | None = None
    server: Server | None = None
    direct: bool = True
    """The connection leads to the server itself, not to a pooler."""
    hears: bool = True
    """A notification to itself arrived."""
    file: DatabaseFile | None = None
    replicas: Sequence[ReplicaLine] = ()
    thin: Sequence[Lock] = ()
    """The leases of runs whose renewal is overdue."""
    generations: Sequence[GenerationStanding] = ()
    """Of applications that have more than one that lives, or is to."""
    deploys: Sequence[Problem] = ()


def examine(settings: Settings) -> Examined:
    """Return what there is; raises `StoreUnavailable`, or another `LeaseError`, if the database cannot be asked."""
    here = of_machine(settings)
    began = time.monotonic()
    with opened_for_reading(settings.database) as connection:
        if connection is None:
            raise StoreUnavailable(f"there is no file {here.database} yet; create it with `leased run FILE`")
        if not backend_of(connection).is_embedded:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(_LONGEST * 1000)}")
        database_time(connection)
        here = replace(here, connect=time.monotonic() - began)
        return _of_database(connection, here)


def of_machine(settings: Settings) -> Examined:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return Examined(
        settings=settings,
        database=describe(parse_address(settings.database)),
        descriptors=None if limit == resource.RLIM_INFINITY else limit,
        stops=_stops(),
        in_kubernetes="KUBERNETES_SERVICE_HOST" in os.environ,
        others=_others(),
    )


def _of_database(connection: Connection, here: Examined) -> Examined:
    trips, ahead = _measured(connection)
    driver: Any = connection.connection.driver_connection
    file = backend_of(connection).file(connection.engine.url)
    server = read_server(connection)
    here = replace(
        here,
        round_trip=trips,
        clock_offset=ahead,
        server=server,
        direct=server is None or _is_direct(driver, server.pid),
        file=None if file is None else _file(connection, file),
    )
    if server is not None and not server.may_read:
        here = replace(here, schema_problem="this role may not read the tables; grant it the rights above first")
    else:
        try:
            migrations.check(connection)
        except SchemaNotReady as error:
            here = replace(here, schema_problem=str(error))
        else:
            dead = proven_dead(neighbours(connection))
            standings = read_standings(connection, dead=dead, takeover_after=here.settings.takeover_after)
            locks, now = read_locks(connection, prefix="run/"), database_time(connection)
            here = replace(
                here,
                replicas=[one for one in read_replicas(connection, dead=dead) if one.state in LIVE],
                thin=[one for one in locks if one.run_id is not None and one.is_thin(now)],
                generations=beside_each_other(standings),
                deploys=list(of_generations(standings)),
            )
    return here if server is None else replace(here, hears=_hears(driver))


def _measured(connection: Connection) -> tuple[float, float]:
    """Return the seconds of a round trip, and how many the database's clock is ahead, of the shortest of some."""
    trips: list[tuple[float, float]] = []
    for _ in range(_ROUNDS):
        sent, began = datetime.now(UTC), time.monotonic()
        there = database_time(connection)
        took = time.monotonic() - began
        trips.append((took, (there - sent).total_seconds() - took / 2))
    return median(took for took, _ in trips), min(trips)[1]


def _is_direct(driver: Any, pid: int) -> bool:
    from lease.database.wires.of_libpq import is_direct  # noqa: PLC0415 - the driver is loaded only where it connects

    return is_direct(driver, pid)


def _hears(driver: "psycopg.Connection[Any]") -> bool:
    """Return whether a notification that this connection sends to itself arrives."""
    driver.rollback()
    driver.autocommit = True
    driver.execute(f"LISTEN {_CHANNEL}")
    driver.execute(f"NOTIFY {_CHANNEL}")
    return any(True for _ in driver.notifies(timeout=_HEARD_WITHIN, stop_after=1))


def _file(connection: Connection, path: str) -> DatabaseFile:
    mode = stat.S_IMODE(Path(path).stat().st_mode)
    may_write = os.access(path, os.R_OK | os.W_OK) and os.access(Path(path).absolute().parent, os.W_OK | os.X_OK)
    journal = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
    return DatabaseFile(path, mode, may_write, network_file_system(path), journal)


def _others() -> Sequence[str]:
    logins = (one for one in pwd.getpwall() if one.pw_uid in _PEOPLE and one.pw_uid != os.getuid())
    return sorted(one.pw_name for one in logins if not one.pw_shell.endswith(("/nologin", "/false")))


def _stops() -> Sequence[tuple[str, float]]:
    """Return how long systemd waits for each of its services that run leased; nothing where there is no systemd."""
    if not Path("/run/systemd/system").is_dir():
        return ()
    try:
        done = subprocess.run(_SYSTEMCTL, capture_output=True, text=True, check=False, timeout=_LONGEST)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(stops_of(done.stdout))


def stops_of(shown: str) -> Iterator[tuple[str, float]]:
    """Yield the services in what `systemctl show` prints that run leased, and their bound on a stop in seconds."""
    for block in shown.split("\n\n"):
        found = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        runs_leased = re.search(r"\bleased\b.* run ", found.get("ExecStart", ""))
        if runs_leased and (seconds := seconds_of(found.get("TimeoutStopUSec", ""))) is not None:
            yield found.get("Id", "?"), seconds


def seconds_of(span: str) -> float | None:
    """Return a span of systemd, such as `1min 30s`, in seconds; None of `infinity`, and of what is none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(us|ms|min|s|h|d|w)\b", span)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else None
