"""`python -m tests.mutants.in_campaigns`: puts mutants through campaigns, and says what these find broken.

Without a name it puts the product itself through one, unchanged: nothing but the machine shows in that.
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

UNCHANGED = Mutant("unchanged", "nothing", ())


def main() -> None:
    options = _options()
    wrong = [one for one in MUTANTS if options.database in one.caught_by]
    chosen = [one for one in wrong if options.all or one.name in options.names] or [UNCHANGED]
    with tempfile.TemporaryDirectory(prefix="leased-mutants-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        product = copy_product(Path(folder) / "product")

        def tell(mutant: Mutant) -> None:
            seeds = range(options.seed, options.seed + options.seeds)
            verdict = put_through(mutant, options.database, options.minutes, seeds, product)
            found = f"{len(verdict.broken)}, first {verdict.broken[0]}" if verdict.caught else "nothing"
            sys.stdout.write(f"{mutant.name}: with seed {verdict.seed}: {found}{verdict.last_words}\n")
            sys.stdout.flush()

        list(pool.map(tell, chosen))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.in_campaigns", description=__doc__)
    parser.add_argument("names", nargs="*", help="the mutants", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="all that are wrong on this database")
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres", help="where (postgres)")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long there are faults in each (1)")
    parser.add_argument("--seed", type=int, default=1, help="of the first campaign (1)")
    parser.add_argument("--seeds", type=int, default=1, help="so many campaigns until one catches it (1)")
    parser.add_argument("--jobs", type=int, default=1, help="campaigns at a time (1)")
    options = parser.parse_args()
    if unknown := set(options.names) - {one.name for one in MUTANTS}:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
