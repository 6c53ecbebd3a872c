"""Run one seed with its trace, or a range of seeds."""

import argparse
import sys
import time

from .trial import Trial


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model.simulation", description=__doc__)
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--seed", type=int, help="run this one, and tell what happened")
    chosen.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "LAST"), help="run all of these")
    options = parser.parse_args()
    if options.seed is not None:
        outcome = Trial(options.seed, trace=1_000_000).run()
        said = str(outcome) if outcome.broken else "\n".join([*outcome.trace, str(outcome)])
        sys.stdout.write(f"{said}\n{outcome.steps} steps, {outcome.seconds:.0f} s, {outcome.counts}\n")
        return int(outcome.broken is not None)
    began, steps, seconds, broken = time.perf_counter(), 0, 0.0, 0
    for seed in range(options.seeds[0], options.seeds[1] + 1):
        outcome = Trial(seed).run()
        steps += outcome.steps
        seconds += outcome.seconds
        if outcome.broken:
            broken += 1
            sys.stdout.write(f"{str(outcome).splitlines()[-2]}\n")
    took = time.perf_counter() - began
    sys.stdout.write(f"{steps} steps for {seconds:.0f} simulated seconds in {took:.1f} s: {steps / took:.0f} steps/s\n")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
