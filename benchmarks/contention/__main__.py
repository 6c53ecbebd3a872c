"""Claim contention: how fast 1, 2, 4 and 8 replicas claim and end runs that are all due at once, and at what price.

    python -m benchmarks.contention [--quick] [--json FILE] [--database URL]

See docs/internals/benchmarks.md for what the figures say, and what they do not.
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
from tests.support.binaries import NoPostgresError

from ..errors import BenchmarkError
from ..machine import this_machine
from ..opening import open_stores
from ..progress import tell
from .fleet import Fleet
from .options import Options, read_options
from .report import Report, as_json, show
from .series import Series, measure

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
        opened = open_stores(options.databases, options.postgresql, folder, stack)
        tell(f"starting {max(options.size.replicas)} replicas")
        fleet = stack.enter_context(Fleet(max(options.size.replicas)))
        for number, store in enumerate(opened.stores):
            share = _time_left(options, began) / (len(opened.stores) - number)
            measured.append(measure(store, options.size, fleet, monotonic() + share))
    return Report(machine, options, measured, opened.left_out, monotonic() - began)


def _time_left(options: Options, began: float) -> float:
    return math.inf if options.size.seconds is None else options.size.seconds - (monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
