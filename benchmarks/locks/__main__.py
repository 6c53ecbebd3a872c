"""The lock library, side by side with the statements that it sends and with other locks.

    python -m benchmarks.locks [--quick] [--only PART …] [--json FILE] [--database URL]

See docs/internals/benchmarks.md for what the figures say, and what they do not.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import psycopg

from lease.errors import LeaseError
from tests.support.binaries import NoPostgresError

from ..errors import BenchmarkError
from .report import SCHEMA, show
from .trials import FULL, PARTS, QUICK, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.locks", description=__doc__, allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="measure less of everything")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part alone; can be repeated")
    parser.add_argument("--database", metavar="URL", help="a PostgreSQL server to use instead of one of our own")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there too")
    given = parser.parse_args(arguments)
    logging.getLogger("lease").setLevel(logging.ERROR)
    try:
        report = run(QUICK if given.quick else FULL, given.only or PARTS, given.database)
    except (BenchmarkError, LeaseError, NoPostgresError, psycopg.Error, OSError) as error:
        print(f"benchmarks.locks: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    if given.json is not None:
        document = {"schema": SCHEMA, **asdict(report)}
        given.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    show(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
