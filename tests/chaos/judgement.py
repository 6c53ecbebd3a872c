"""What a campaign has recorded, and what the checker finds in it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from sqlalchemy import Connection, Engine, bindparam, text

from daemon.definitions.sources.load import load
from daemon.jobs.processes.identity import ProcessIdentity
from daemon.pruning.pruner import PRUNING
from tests.checker import Bounds, Violation, check
from tests.checker.facts import Fact, Starved
from tests.support.starter import ROOT

from . import history
from .effect import BOUND
from .escapee import Tried
from .fleet import APPLICATION, End, Told, ToldAtOnce, ToldTwice
from .lanes import Done
from .releases import ONLY, RELEASE, RELEASES
from .site import Site
from .trouble import Ended, ended
from .users.inquiry import kept_for_others
from .users.records import Users
from .witness.rulings import due, rulings
from .witness.sets import Sets, sets
from .worker import ENDS, STARTS, URL

if TYPE_CHECKING:
    from .stepping.judgement import Stepped

TTL = 3.0
TOLERANCE = {"postgres": timedelta(), "sqlite": timedelta(milliseconds=5)}
"""The resolution of each database's clock."""


@dataclass
class Result:
    """What a campaign has recorded."""

    kind: str
    seed: int
    seconds: float
    faults: list[Done] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    losses: list[history.Loss] = field(default_factory=list)
    given_back: set[tuple[str, int]] = field(default_factory=set)
    """The leases, with their tokens, that replicas released as grants without work."""
    ends: list[End] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    strays: list[int] = field(default_factory=list)
    balance: int = 0
    """The balance of the account."""
    effects: int = 0
    """The number of effects."""
    held: list[str] = field(default_factory=list)
    """The leases with a holder after all replicas have ended, but for those under which one pruned that was killed."""
    acknowledged: set[tuple[int, str]] = field(default_factory=set)
    """(run, job) of each effect whose commit was acknowledged to the job."""
    holders: dict[str, ProcessIdentity] = field(default_factory=dict)
    """The process of each registered replica."""
    seen_alive: dict[ProcessIdentity, float] = field(default_factory=dict)
    """When each replica process was last seen alive, by the clock of the diaries."""
    busy: list[tuple[float, float, float]] = field(default_factory=list)
    """The rounds of the yardstick: when each began and ended, since boot, and for how much of it the process was kept
    waiting that was ready to run."""
    excused: int = 0
    """The recoveries, and the grants under which nothing began, that would be late if that counted."""
    bad_lines: list[str] = field(default_factory=list)
    """The errors that replicas logged, or ended with."""
    settled_after: float = 0.0
    """Seconds from the last fault until every run was over."""
    audit: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    """The skipped instants, by reason."""
    missed: int = 0
    """The missed instants of schedules that every release has."""
    attempts: list[Ended] = field(default_factory=list)
    """All attempts of jobs."""
    sets: Sets = field(default_factory=Sets)
    """The sets in which runs were claimed and ended."""
    acts: list[ToldTwice] = field(default_factory=list)
    """What people did, each of it twice."""
    at_once: list[ToldAtOnce] = field(default_factory=list)
    """What people did, two of them at the same moment."""
    intrusions: list[Told] = field(default_factory=list)
    """What was said to another file that claims the application's name."""
    elsewhere: int = 0
    """The replicas that have started in another database."""
    users: Users = field(default_factory=Users)
    """Those who use locks beside the daemon."""
    logs: list[tuple[str, Path]] = field(default_factory=list)
    """The logs of the replicas, with the slot of each."""
    stepped: "Stepped | None" = None
    """What steps of the database's clock came to, if it steps."""
    clocks: history.Clocks = field(default_factory=history.Clocks.now)


def judge(site: Site, engine: Engine, starts: datetime, ends: datetime, result: Result) -> None:
    """Read the history of a campaign that has ended, and check it."""
    defined = releases(site, starts, ends)
    with engine.connect() as connection:
        result.facts = [
            *history.witnessed(connection, result.clocks),
            *history.effects(connection),
            *recorded(connection, site, defined, result),
            *(one for of, ruled in rulings(connection, result.clocks).items() for one in due(of, ruled, ends)),
        ]
        count(connection, result)
    bounds = bounds_of(defined, timedelta(seconds=1 + BOUND), TOLERANCE[site.kind])
    result.violations = check(result.facts, bounds)
    result.excused = excused(result.facts, bounds, result.violations)
    result.audit = leased_audit(site.url)


def recorded(connection: Connection, site: Site, defined: history.Releases, result: Result) -> Iterator[Fact]:
    """Yield what tables, diaries and the campaign itself say."""
    clocks = result.clocks
    digests = {(one.name, release): one.run_digest() for release, app in defined.items() for one in app.schedules}
    yield from history.tables(connection, defined)
    yield from history.backfills(connection)
    yield from history.marks(connection, clocks)
    yield from history.diaries(site.folder, clocks, digests)
    yield from history.haunted(result.tried, clocks)
    yield from history.outages(result.faults, clocks)
    yield from history.starved(result.busy, clocks)
    yield from kept_for_others(result.users.hand_overs, clocks)
    result.acknowledged = history.acknowledged(site.folder)


def bounds_of(defined: history.Releases, recovery: timedelta | None, tolerance: timedelta = timedelta()) -> Bounds:
    """Return the bounds of a campaign's history."""
    return Bounds(
        recovery=recovery,
        everywhere=frozenset.intersection(*(frozenset(app.run_digests.values()) for app in defined.values())),
        complete=True,
        idle=timedelta(seconds=2 * TTL),
        finished=True,
        effects_written=True,
        tolerance=tolerance,
    )


def excused(facts: Iterable[Fact], bounds: Bounds, found: Sequence[Violation]) -> int:
    """Return how many violations there would be besides if the time counted for which the machine was busy."""
    return len(check((fact for fact in facts if not isinstance(fact, Starved)), bounds)) - len(found)


def count(connection: Connection, result: Result) -> None:
    """Read the numbers of a campaign."""
    result.attempts = ended(connection, lambda moment: history.unmoved(moment, result.clocks))
    result.sets = sets(connection)
    query = "SELECT reason, sum(count) FROM run WHERE state = 'skipped' GROUP BY reason"
    result.skipped = {reason: int(times) for reason, times in connection.execute(text(query))}
    missed = text("SELECT count(*) FROM run WHERE reason = 'missed' AND NOT schedule IN :some")
    result.missed = int(
        connection.execute(missed.bindparams(bindparam("some", list(ONLY), expanding=True))).scalar_one()
    )
    processes = connection.execute(text("SELECT holder, pid, start_time FROM replica"))
    result.holders = {row.holder: ProcessIdentity(row.pid, row.start_time) for row in processes}
    counts = text("SELECT (SELECT balance FROM account), (SELECT count(*) FROM effect)")
    result.balance, result.effects = connection.execute(counts).one()
    stopped = "EXISTS (SELECT 1 FROM replica WHERE replica.holder = lease.holder AND replica.state = 'stopped')"
    # A burst or a forked child that is cut off leaves its leases to their ttl, and nobody else comes to the same names.
    held = (
        f"SELECT name FROM lease WHERE holder IS NOT NULL AND (name NOT LIKE '{PRUNING}%' OR {stopped}) "
        "AND name NOT LIKE 'users/burst/%' AND name NOT LIKE 'users/child/%' ORDER BY name"
    )
    result.held = list(connection.scalars(text(held)))


def releases(site: Site, starts: datetime, ends: datetime) -> history.Releases:
    """Return the definitions that the replicas have, by release."""
    found = {}
    for release in RELEASES:
        given = {STARTS: starts.isoformat(), ENDS: ends.isoformat(), URL: site.jobs_address, RELEASE: str(release)}
        given |= site.environment
        with patch.dict(os.environ, given):
            found[release] = load(str(APPLICATION))
    return found


def leased_audit(url: str) -> dict[str, Any]:
    """Return what `leased audit` reports about the same database."""
    command = [sys.executable, "-P", "-m", "leased", "audit", f"--database={url}", "--json"]
    said = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    if said.returncode not in (0, 1) or not said.stdout:
        raise RuntimeError(f"leased audit ended with status {said.returncode}: {said.stderr}")
    told: dict[str, Any] = json.loads(said.stdout)
    return told
