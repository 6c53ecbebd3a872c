"""The gauges of a soak: resources of the replicas; connections, log and tables of the database."""

from dataclasses import dataclass
from pathlib import Path

from tests.support.postgres import PostgresServer

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
