"""The judgement of a campaign in which the database's clock steps."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, text

from lease.timing import LeaseTiming
from tests.checker import Promise, check

from .. import history
from ..effect import BOUND
from ..judgement import TTL, Result, bounds_of, count, excused, leased_audit, recorded, releases
from ..witness.rulings import due, rulings
from .promises import (
    Report,
    as_shown,
    false_reports,
    granted_while_live,
    in_true_time,
    outlived,
    reports,
    second_holders,
    unreported,
)
from .site import SteppedSite
from .steps import ASSUMED, Kind, Step, SteppedClocks

BY_TIMES = {Promise.TOKENS, Promise.OVERLAP, Promise.TURNS, Promise.RECOVERY, Promise.CANCELS}
"""What `leased audit`, which knows of no step, takes for broken when times are out of order."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """What steps of the clock came to."""

    kind: Kind
    steps: tuple[Step, ...]
    reports: list[Report]
    silent: list[Step]
    """Those that nobody reported, who must have seen them."""
    false: list[str]
    second_holders: int
    """How often a second holder began while the work of the first was alive."""
    misjudged: int
    """What `leased audit` found because times were out of order."""


def judge(site: SteppedSite, engine: Engine, starts: datetime, ends: datetime, result: Result) -> None:
    """Read the history of a campaign that has ended, and check it."""
    clocks, broken = result.clocks, site.steps_are == "broken"
    assert isinstance(clocks, SteppedClocks)
    defined = releases(site, starts, ends)
    with engine.connect() as connection:
        seen = list(history.witnessed(connection, clocks))
        read = [*seen, *recorded(connection, site, defined, result)]
        ruled = {of: as_shown(those, clocks) for of, those in rulings(connection, clocks).items()}
        result.facts = [
            *in_true_time(read, clocks, _endings(connection)),
            *(one for of, those in ruled.items() for one in due(of, those, ends)),
        ]
        count(connection, result)
    bounds = bounds_of(defined, None if broken else timedelta(seconds=1 + BOUND + ASSUMED))
    found, early = check(result.facts, bounds), 0
    result.excused = excused(result.facts, bounds, found)
    if broken:
        found, early = second_holders(found)
    result.violations = [*found, *granted_while_live(seen, clocks), *outlived(result.facts, LeaseTiming(TTL))]
    result.audit = leased_audit(site.url)
    items = result.audit["items"]
    if broken:
        result.audit["items"] = [item for item in items if item["promise"] not in BY_TIMES]
    _note_steps(site, result, early, len(items) - len(result.audit["items"]))


def _note_steps(site: SteppedSite, result: Result, early: int, misjudged: int) -> None:
    clocks = result.clocks
    assert isinstance(clocks, SteppedClocks)
    steps, told = clocks.steps.steps, list(reports(result.logs, clocks))
    far = [step for step in steps if site.steps_are == "broken"]
    result.stepped = Stepped(
        site.steps_are,
        steps,
        told,
        list(unreported(far, told, result.facts, result.holders, clocks)),
        list(false_reports(told, steps)),
        early,
        misjudged,
    )


def _endings(connection: Connection) -> dict[int, datetime]:
    """Return when each run ended."""
    rows = connection.execute(text("SELECT run, max(at) FROM ending GROUP BY run"))
    return {run: at.astimezone(UTC) for run, at in rows}


def problems(stepped: Stepped) -> list[str]:
    """Return what must not happen, in words, and what shows that nothing did."""
    found = [*stepped.false]
    found += [
        f"nobody reported that the clock stepped by {step.seconds:g} s at {step.at:.2f}" for step in stepped.silent
    ]
    if len(stepped.steps) < 2 or (not stepped.reports and stepped.kind == "broken"):
        found.append(f"the clock stepped {len(stepped.steps)} times, of which {len(stepped.reports)} reports tell")
    return found


def lines(stepped: Stepped) -> list[str]:
    """Return the lines of the table."""
    ways = Counter("forward" if step.seconds > 0 else "back" for step in stepped.steps)
    sizes = sorted(abs(step.seconds) for step in stepped.steps)
    return [
        (
            f"  steps of the clock         {len(sizes):>6}   {ways['forward']} forward, {ways['back']} back, "
            f"by {sizes[0]:.3g} to {sizes[-1]:.4g} s; reports {len(stepped.reports)}"
        ),
        f"  second holders began early {stepped.second_holders:>6}",
        f"  misjudged by leased audit  {stepped.misjudged:>6}",
    ]
