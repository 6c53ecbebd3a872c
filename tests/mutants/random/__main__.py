"""`python -m tests.mutants.random`: small mutants of the lock library, drawn by a seed, and whether its
tests catch them. It takes about half an hour for 100.
"""

import argparse
import json
import random
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.copies import ROOT
from tests.mutants.random.campaign import Campaign
from tests.mutants.random.choice import read_measured, write_measured
from tests.mutants.random.drawing import draw
from tests.mutants.random.equivalents import read_equivalents, reason
from tests.mutants.random.report import as_json, table
from tests.support.databases import start_server


def main() -> int:
    options = _options()
    texts = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted((ROOT / "lease").rglob("*.py"))
    }
    drawn = draw(texts, options.seed, options.count)
    equivalents = read_equivalents()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="leased-mutants-")))
        server = start_server(stack)
        campaign = Campaign(folder, server.url, options.jobs, say)
        kept = options.measured
        measured = read_measured(kept) if kept and kept.exists() else campaign.measure()
        if kept:
            write_measured(kept, measured)
        say(f"seed {options.seed}: {len(drawn)} mutants, {len(measured)} tests")
        trials = campaign.run(drawn, measured, equivalents)
    reasons = [reason(trial.drawn, equivalents) for trial in trials]
    say(table(trials, reasons))
    if options.json:
        options.json.write_text(json.dumps(as_json(trials, reasons), indent=1), encoding="utf-8")
    return 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.random", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--measured", type=Path, help="where which test runs which lines is kept for the next campaign")
    parser.add_argument("--json", type=Path, help="where to write the results for programs")
    if not hasattr(sys, "monitoring"):
        parser.error("this needs Python 3.12, which can see cheaply which test runs which lines")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
