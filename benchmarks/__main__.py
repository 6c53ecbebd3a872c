"""All benchmarks, or some.

    python -m benchmarks [--only KEY,KEY] [--rounds N] [--quick] [--json FILE] [--page]

Each part's figures are written as soon as it is measured; the others stay as they were.
"""

import logging
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from daemon.errors import DaemonError
from lease.errors import LeaseError
from tests.support.binaries import NoPostgresError

from .document import as_json, read_document
from .errors import BenchmarkError
from .machine import this_machine
from .opening import open_stores
from .options import ROOT, Options, read_options
from .page.page import write_page
from .part import measure_part
from .progress import tell
from .registry import BENCHMARKS
from .site import Site
from .terminal import show

_INTERRUPTED = 130
_EXPECTED = (BenchmarkError, DaemonError, LeaseError, psycopg.Error, SQLAlchemyError, OSError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and return the exit status: 1 if something could not be measured that should have been."""
    options = read_options(arguments)
    logging.getLogger("lease").setLevel(logging.ERROR)
    try:
        failed = _measure(options) if options.only else 0
        if options.page:
            write_page(read_document(options.json), ROOT / "docs" / "internals")
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (*_EXPECTED, NoPostgresError) as error:
        return _say(error)
    return 1 if failed else 0


def _measure(options: Options) -> int:
    """Measure one part after the other, and return how many could not be."""
    failed = 0
    document = dict(read_document(options.json))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leased-bench-")))
        opened = open_stores(options.databases, options.postgresql, folder, stack)
        machine = this_machine(folder)
        site = Site(opened.stores, folder, options.rounds, options.quick, options.large)
        for benchmark in BENCHMARKS:
            if benchmark.key not in options.only:
                continue
            tell(f"-- {benchmark.key}")
            try:
                part = measure_part(benchmark, replace(site, left_out=list(opened.left_out)), machine)
            except _EXPECTED as error:
                failed += _say(error, benchmark.key)
                continue
            show(benchmark, part)
            document[benchmark.key] = part
            options.json.write_text(as_json(document), encoding="utf-8")
    return failed


def _say(error: BaseException, key: str = "") -> int:
    said = " ".join(str(error).split()) or type(error).__name__
    print(f"benchmarks{key and f' {key}'}: {said}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
