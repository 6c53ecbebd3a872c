"""`python -m tests.chaos`: a campaign and its table; status 1 if a promise was broken."""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.support.binaries import NoPostgresError
from tests.support.moved_clock import MISSING, library
from tests.support.signals import handle_ignored

from . import campaign
from .report import problems, summarize, table
from .site import PostgresSite, Site, SqliteSite
from .stepping.site import SteppedSite

KINDS = ("postgres", "sqlite")
LONGEST = 120.0
SHARES = {"postgres": 0.7, "sqlite": 0.3}
"""The share of the minutes per database when both are requested."""


def main() -> int:
    """Return the exit status: 1 if a promise was broken, 2 if there is no database."""
    options = _options()
    handle_ignored()  # or replicas would ignore a SIGHUP that nohup makes this process ignore
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all that was started is ended
    _say(f"seed {options.seed}")
    if options.clock is not None:
        return _campaign(options, "postgres", options.minutes)
    if options.database != "both":
        return _campaign(options, options.database, options.minutes)
    statuses = [_campaign(options, kind, options.minutes * SHARES[kind]) for kind in KINDS]
    return 1 if 1 in statuses else max(statuses)


def _campaign(options: argparse.Namespace, kind: str, minutes: float) -> int:
    folder = Path(tempfile.mkdtemp(prefix="leased-chaos-files-"))
    folder.chmod(0o755)
    site = _site(options, kind, folder)
    clean = False
    try:
        result = campaign.run(site, minutes * 60, options.seed)
        summary, found = summarize(result), problems(result)
        clean = not found
    except NoPostgresError as missing:
        sys.stderr.write(f"no campaign: {missing}\n")
        clean = True
        return 2
    finally:
        if clean:
            shutil.rmtree(folder)
        else:
            _say(f"logs and diaries are kept in {folder}")
    _say("\n".join(table(result, summary)))
    if options.json is not None:
        told = {**vars(summary), "database": kind, "seed": result.seed, "seconds": result.seconds}
        options.json.write_text(json.dumps({**told, "problems": found}, indent=1) + "\n")
    return 1 if found else 0


def _site(options: argparse.Namespace, kind: str, folder: Path) -> Site:
    if options.clock is not None:
        return SteppedSite(campaign.PLACES, folder, options.clock, options.seed)
    return PostgresSite(campaign.PLACES, folder) if kind == "postgres" else SqliteSite(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--database", choices=(*KINDS, "both"), default="both", help="where (both)")
    parser.add_argument(
        "--minutes", type=float, default=5.0, help=f"how long there are faults (5); on SQLite at most {LONGEST:g}"
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1_000_000), help="decides the faults and their order (any)"
    )
    parser.add_argument(
        "--clock",
        choices=("kept", "broken"),
        help="let PostgreSQL's own clock step: by no more than rule 1 assumes (kept), or by up to an hour (broken)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers of the last campaign there too")
    options = parser.parse_args()
    if options.clock is not None and library() is None:
        parser.error(MISSING)
    if options.clock is None and options.database != "postgres" and options.minutes > LONGEST:
        parser.error(f"a campaign on SQLite takes {LONGEST:g} minutes at most: wall clocks are moved by 3 hours in it")
    return options


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
