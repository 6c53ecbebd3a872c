"""Claim contention: how fast 1, 2, 4 and 8 replicas claim and end runs that are all due at once, and at what price.

    python -m benchmarks.contention [--quick] [--json FILE] [--database URL]

See docs/explanation/benchmarks.md for what the figures say, and what they do not.
"""

import math
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import psycopg

from daemon.errors import DaemonError
from lease.errors import LeaseError
from tests.support.binaries import NoPostgresError, binaries
from tests.support.databases import DEFAULT_VERSION
from tests.support.postgres import PostgresServer

from .errors import BenchmarkError
from .fleet import Fleet
from .machine import this_machine
from .options import Options, read_options
from .report import Report, as_json, show
from .series import Series, measure, tell
from .stores import PostgresqlStore, SqliteStore, Store

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it, and return the exit status: 1 if it could not be done, or a run was lost or doubled."""
    options = read_options(arguments)
    try:
        report = run(options)
        if options.json is not None:
            options.json.write_text(as_json(report), encoding="utf-8")
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (BenchmarkError, DaemonError, LeaseError, NoPostgresError, psycopg.Error, OSError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        print(f"benchmarks.contention: {said}", file=sys.stderr)
        return 1
    show(report)
    return 0


def run(options: Options) -> Report:
    """Measure on one database after the other."""
    began = monotonic()
    measured: list[Series] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leased-bench-")))
        machine = this_machine(folder)
        places = [_open(name, options, folder, stack) for name in options.databases]
        stores = [place for place in places if not isinstance(place, str)]
        tell(f"starting {max(options.size.replicas)} replicas")
        fleet = stack.enter_context(Fleet(max(options.size.replicas)))
        for number, store in enumerate(stores):
            share = _time_left(options, began) / (len(stores) - number)
            measured.append(measure(store, options.size, fleet, monotonic() + share))
    left_out = [place for place in places if isinstance(place, str)]
    return Report(machine, options, measured, left_out, monotonic() - began)


def _time_left(options: Options, began: float) -> float:
    return math.inf if options.size.seconds is None else options.size.seconds - (monotonic() - began)


def _open(name: str, options: Options, folder: Path, stack: ExitStack) -> Store | str:
    """Return the place for databases of this kind, or why there is none, unless it was asked for."""
    if name == "sqlite":
        return SqliteStore(folder)
    if options.postgresql is not None:
        return PostgresqlStore(options.postgresql)
    try:
        programs = binaries(DEFAULT_VERSION)
    except NoPostgresError as missing:
        if len(options.databases) == 1:
            raise
        return str(missing)
    stack.callback(programs.remove)
    return PostgresqlStore(stack.enter_context(PostgresServer(programs, durable=True)).url())


if __name__ == "__main__":
    sys.exit(main())
