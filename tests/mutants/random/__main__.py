"""`python -m tests.mutants.random`: small mutants of the product, drawn by a seed, and whether its tests catch
them.

    --of lease|daemon       what to mutate: the lock library, or the daemon's scheduling, execution, recovery and store
    --count N --seed S      how many mutants, and which
    --json FILE             writes the results
    --repeat FILE           tries the mutants of such results again, instead of drawing new ones
    --measured FILE         keeps which test runs which lines, for the next campaign on the same tree

pytest collects the tests of `--tests`, given `--pytest-args`: `--pytest-args="-m 'not extended'"`. Of these, a mutant
is tried with the tests that run the mutated lines, and then with others of the same file, up to `--most` seconds
in all; quick ones run first. A test that fails must fail again, alone, and pass on the product itself.

Lines are measured only in the process of the test. A test that runs a line only in the replicas or jobs that it starts
is not known to run it, and is chosen only if it runs another line of the same file in its own process.

To compare two commits, try the same mutants on both. The second campaign is quick, because it tries each mutant first
with the test that caught it in the first one:

    python -m tests.mutants.random --tree OLD --of daemon --count 60 --seed 24 --json before.json
    python -m tests.mutants.random --of daemon --repeat before.json --json after.json

`--tree` takes the product and its tests from another checkout, whose own version of this tool does not matter; the
environment is the one that runs this. A mutant is found again by the text that it changes and the function around it.
If that text no longer exists, the mutant is reported as GONE.

100 mutants take about half an hour, after the tests have been measured.
"""

import argparse
import json
import random
import shlex
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.copies import ROOT
from tests.mutants.random.again import Named, read_earlier
from tests.mutants.random.campaign import Campaign
from tests.mutants.random.choice import MOST_SECONDS, Measured, read_measured, write_measured
from tests.mutants.random.drawing import PARTS, Part, draw, read_equivalents, reason
from tests.mutants.random.report import Result, as_json, table
from tests.support.databases import start_server


def main() -> int:
    options = _options()
    part = PARTS[options.of]
    texts = part.texts(options.tree)
    named = Named(texts)
    if options.repeat:
        cases = [Result(named.find(one), earlier=one) for one in read_earlier(options.repeat)]
        if strange := {case.name.file for case in cases if not part.has(case.name.file)}:
            raise SystemExit(f"{options.repeat} has mutants of {', '.join(sorted(strange))}: say --of what they are of")
    else:
        cases = [Result(drawn) for drawn in draw(texts, options.seed, options.count)]
    equivalents = read_equivalents()
    cases = [
        case if case.drawn is None else replace(case, equivalent=reason(case.drawn, equivalents)) for case in cases
    ]
    say(f"{len(cases)} mutants, " + (f"those of {options.repeat}" if options.repeat else f"seed {options.seed}"))
    results = _tried(cases, options, part, named)
    say(table(results))
    return 0


def _tried(cases: list[Result], options: argparse.Namespace, part: Part, named: Named) -> list[Result]:
    """Return the cases with their trials; those that are done so far are written, since it takes long."""
    results: list[Result] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="leased-mutants-")))
        server = start_server(stack)
        campaign = Campaign(
            options.tree, folder, server.url, options.jobs, say,
            shlex.split(options.pytest_args), options.most,
        )  # fmt: skip
        measured = _measured(campaign, options, part)
        to_try = [case for case in cases if case.to_try]
        trials = campaign.run([(case.drawn, case.caught_before) for case in to_try if case.drawn], measured)
        for case in cases:
            results.append(replace(case, trial=next(trials)) if case.to_try else case)
            if options.json:
                options.json.write_text(json.dumps(as_json(results, named), indent=1), encoding="utf-8")
    return results


def _measured(campaign: Campaign, options: argparse.Namespace, part: Part) -> list[Measured]:
    """Return what is known of the tests that pytest collects; what is not known yet is measured."""
    nodes = campaign.collect(options.tests or [test for test in part.tests if (options.tree / test).exists()])
    known = read_measured(options.measured) if options.measured and options.measured.exists() else []
    unknown = sorted(set(nodes) - {test.node for test in known})
    say(f"{len(nodes)} tests, {len(unknown)} of them to be measured")
    if unknown:
        known = [*known, *campaign.measure(unknown, part.package)]
    if options.measured:
        write_measured(options.measured, known)
    collected = set(nodes)
    return [test for test in known if test.node in collected]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants.random", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--of", choices=tuple(PARTS), default="lease", help="what is mutated (lease)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--count", type=int, default=100, help="how many mutants (100)")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time (2)")
    parser.add_argument(
        "--tests", nargs="+", metavar="PATH", help="files and folders of tests, instead of all of the part"
    )
    parser.add_argument("--pytest-args", default="", metavar="ARGS", help="more arguments for pytest, as one")
    parser.add_argument("--most", type=float, default=MOST_SECONDS, metavar="SECONDS", help="of tests for each (120)")
    parser.add_argument("--tree", type=Path, default=ROOT, metavar="DIR", help="the checkout to mutate (this one)")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="the results whose mutants are tried again")
    parser.add_argument("--measured", type=Path, metavar="FILE", help="keeps which test runs which lines of this tree")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the results for programs")
    if not hasattr(sys, "monitoring"):
        parser.error("this needs Python 3.12, which can see cheaply which test runs which lines")
    options = parser.parse_args()
    options.tree = options.tree.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
