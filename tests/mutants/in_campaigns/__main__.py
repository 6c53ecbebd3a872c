"""`python -m tests.mutants.in_campaigns`: puts mutants through campaigns, and says what these find broken; status 1 if
one is not caught.

Without a name it takes those that were caught before, after the product itself, unchanged: nothing but the machine
shows in that.
"""

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.copies import copy_product
from tests.mutants.mutant import Mutant
from tests.mutants.mutants import MUTANTS

from .campaign import put_through
from .found import CAUGHT, MINUTES, SEEDS

UNCHANGED = Mutant("unchanged", "nothing", ())


def main() -> int:
    """Return the exit status."""
    options = _options()
    names = options.names or CAUGHT[options.database]
    chosen = [one for one in MUTANTS if options.database in one.caught_by and (one.name in names or options.all)]
    with tempfile.TemporaryDirectory(prefix="leased-mutants-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        product = copy_product(Path(folder) / "product")

        def is_right(mutant: Mutant) -> bool:
            seeds = SEEDS[:1] if mutant is UNCHANGED else SEEDS[: options.seeds]
            verdict = put_through(mutant, options.database, options.minutes, seeds, product)
            found = f"{len(verdict.broken)}, first {verdict.broken[0]}" if verdict.caught else "nothing"
            sys.stdout.write(f"{mutant.name}: with seed {verdict.seed}: {found}{verdict.last_words}\n")
            sys.stdout.flush()
            return verdict.caught == (mutant is not UNCHANGED) and not verdict.last_words

        return 0 if all(list(pool.map(is_right, [UNCHANGED, *chosen]))) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.in_campaigns", description=__doc__)
    parser.add_argument("names", nargs="*", help="the mutants", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="all that are wrong on this database")
    parser.add_argument("--database", choices=tuple(CAUGHT), default="postgres", help="where (postgres)")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long there are faults ({MINUTES:g})")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help=f"campaigns of each at most ({len(SEEDS)})")
    parser.add_argument("--jobs", type=int, default=1, help="campaigns at a time (1)")
    options = parser.parse_args()
    if unknown := set(options.names) - {one.name for one in MUTANTS}:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
