"""`python -m tests.oncall`: make something wrong, and say what it is only when it has been looked for."""

import argparse
import os
import random
import select
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.support.starter import ROOT, Starter

from .desk import Desk
from .situations import SITUATIONS, Situation


def main() -> int:
    """Return the exit status, which is always 0."""
    options = _options()
    chosen = SITUATIONS[options.situation - 1] if options.situation else random.Random(options.seed).choice(SITUATIONS)
    folder, starter = Path(tempfile.mkdtemp(prefix="leased-oncall-")), Starter()
    try:
        with Desk(folder, starter) as desk:
            try:
                _say("Something goes wrong in the shop. This takes up to two minutes.")
                chosen.stage(desk)
                _practise(desk, chosen, options.limit)
            finally:
                desk.close()
    except KeyboardInterrupt:
        _say("")
    finally:
        starter.end()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _practise(desk: Desk, chosen: Situation, limit: float) -> None:
    _say(f"""
Somebody calls: "`report` of the application shop is not as it should be." Find out why. In another terminal:

  export LEASED_DATABASE_URL={desk.url}
  export PATH={Path(sys.executable).parent}:$PATH

docs/how-to/operate/something-is-wrong.md says what to ask, and `leased web` serves a page that says it, too. Press Enter when you know; in {limit:g} s you are told.""")
    began = time.monotonic()
    select.select([sys.stdin], [], [], limit)
    _say(f"\nAfter {time.monotonic() - began:.0f} s. The cause: {chosen.cause}.")
    for command in dict(chosen.answers):
        _say(f"  leased {' '.join(command)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.oncall", description=__doc__)
    parser.add_argument("--seed", type=int, help="decides which situation it is")
    parser.add_argument("--situation", type=int, choices=range(1, len(SITUATIONS) + 1), metavar="N", help="this one")
    parser.add_argument("--limit", type=float, default=600.0, metavar="SECONDS", help="when you are told; 600")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
