"""`make proof NAME=dst`: each expression by each change of a clock in the world from 2020 to 2030."""

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

from .comparison import Difference, Explanation, compare
from .expressions import BOTH_TAKE
from .transitions import Change, changes, zones

_SHOWN = 30


def _compared(expression: str, all_changes: list[Change]) -> tuple[Counter[Explanation], list[Difference]]:
    counts: Counter[Explanation] = Counter()
    return counts, [found for change in all_changes if (found := compare(expression, change, counts)) is not None]


def main() -> int:
    """Compare all; return the exit status: 1 if a difference is not explained, or an explanation is not needed."""
    counts: Counter[Explanation] = Counter()
    differences: list[Difference] = []
    all_changes = changes(zones())
    with ProcessPoolExecutor() as workers:
        for own, found in workers.map(_compared, BOTH_TAKE, repeat(all_changes)):
            counts += own
            differences += found
    write = sys.stdout.write
    write(f"{len(BOTH_TAKE)} expressions, {len(all_changes)} changes of clocks\n")
    for explanation in Explanation:
        write(f"{counts[explanation]:8,}  {explanation.value}\n")
    for one in differences[:_SHOWN]:
        write(f"not explained: {one}\n")
    write(f"{len(differences):8,}  not explained\n")
    return int(bool(differences) or not all(counts[explanation] for explanation in Explanation))


if __name__ == "__main__":
    sys.exit(main())
