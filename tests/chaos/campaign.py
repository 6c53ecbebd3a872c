"""A campaign: replicas at work, faults in a seeded order, a quiet end, a check of the history."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from daemon.audit import Bounds, Violation, check
from daemon.audit.facts import Fact
from daemon.definitions.application import Application
from daemon.definitions.sources.load import load
from lease.database.address import parse_address
from tests.support.starter import ROOT
from tests.support.waiting import wait_until

from . import history
from .effect import BOUND
from .escapee import Escapee, Tried
from .faults.clocks import install_clock, library
from .faults.fault import Scene
from .fleet import APPLICATION, End, Fleet, Slot, environment, kill_marked
from .lanes import Done, Lane, site_faults, slot_faults, user_faults
from .site import Site
from .users.crowd import Crowd
from .users.inquiry import inquire, kept_for_others, stuck
from .users.plans import PEOPLE
from .users.records import Users
from .worker import ENDS, STARTS, URL

TTL = 3.0
SLOTS = ("north", "east", "south")
PLACES = (*PEOPLE, *SLOTS)
"""Whoever has a way of its own to the database; that of the last is through PgBouncer."""
QUIET = 120.0
"""Seconds after the last fault within which every run must be over."""
PARKS = {"postgres": 0.3, "sqlite": 0.05}
"""Seconds for which the escapee keeps a fenced transaction open; on SQLite all writers wait."""
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
    ends: list[End] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    strays: list[int] = field(default_factory=list)
    balance: int = 0
    """The balance of the account."""
    effects: int = 0
    """The number of effects."""
    held: int = 0
    """The number of leases with a holder after all replicas have ended."""
    acknowledged: set[tuple[int, str]] = field(default_factory=set)
    """(run, job) of each effect whose commit was acknowledged to the job."""
    holders: dict[str, int] = field(default_factory=dict)
    """The process of each registered replica."""
    seen_alive: dict[int, float] = field(default_factory=dict)
    """When each replica process was last seen alive, by the clock of the diaries."""
    bad_lines: list[str] = field(default_factory=list)
    """The errors that replicas logged, or ended with."""
    settled_after: float = 0.0
    """Seconds from the last fault until every run was over."""
    audit: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    """The skipped instants, by reason."""
    users: Users = field(default_factory=Users)
    """Those who use locks beside the daemon."""
    clocks: history.Clocks = field(default_factory=history.Clocks.now)


def run(site: Site, seconds: float, seed: int, tell: Callable[[str], None]) -> Result:
    """Inflict faults for so many seconds, and return the result."""
    result = Result(site.kind, seed, seconds)
    for name in ("diaries", "mischief"):
        (site.folder / name).mkdir(exist_ok=True)
    with ExitStack() as stack:
        site = stack.enter_context(site)
        starts = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=8)
        ends = starts + timedelta(seconds=seconds)
        engine = create_engine(parse_address(site.url), poolclass=NullPool)
        stack.callback(engine.dispose)
        fleet = Fleet(make_slots(site, SLOTS, starts, ends), site.folder)
        stack.callback(fleet.close)
        fleet.start()
        tell(f"{len(fleet.slots)} replicas are up; faults for {seconds:g} s, seed {seed}")
        escapee = Escapee(site.jobs_address, engine.connect, seed, longest_park=PARKS[site.kind])
        escapee.start()
        stack.callback(escapee.end)
        crowd = Crowd(site, seed, TTL)
        stack.callback(crowd.close)
        crowd.start()
        _inflict(Scene(site, fleet), crowd, seed, ends, result, tell)
        escapee.end()
        crowd.stop()
        result.tried = escapee.tried
        result.settled_after = _wait_until_over(engine, tell)
        result.statuses = fleet.stop()
        result.ends = fleet.ends
        result.strays = kill_marked(site.folder)
        result.losses = list(history.losses(fleet.logs, result.clocks))
        result.bad_lines = list(history.bad_lines(fleet.logs))
        result.seen_alive = fleet.seen_alive
        out_of_reach = stuck(site.url, TTL)
        result.users = replace(inquire(site, engine, crowd, result.faults, result.clocks), stuck=out_of_reach)
        _judge(site, engine, starts, ends, result)
    return result


def make_slots(site: Site, names: Sequence[str], starts: datetime, ends: datetime) -> list[Slot]:
    """Return the slots: of three, the second has a movable wall clock, the third a supervisor."""
    common = (f"--ttl={TTL:g}s", "--poll=0.5s", "--concurrency=12", "--grace=20s", "--log-format=json", "--no-web")
    told = {STARTS: starts.isoformat(), ENDS: ends.isoformat(), URL: site.jobs_address}
    slots = []
    for number, name in enumerate(names):
        preload = library() if number == 1 and len(names) > 2 else None
        clock = install_clock(site.folder, name) if preload else {}
        options = (f"--database={site.address(name)}", *common, *(("--replicas=2",) if number == 2 else ()))
        slots.append(Slot(name, options, environment(site.folder, {**told, **clock}), preload))
    return slots


def _inflict(  # noqa: PLR0917 - what a campaign is
    scene: Scene, crowd: Crowd, seed: int, ends: datetime, result: Result, tell: Callable[[str], None]
) -> None:
    slots = scene.fleet.slots
    plans = {f"replicas-{lane}": slot_faults(seed, lane, scene, slots) for lane in (1, 2)}
    lanes = [Lane(name, seed, scene, plan, result.faults) for name, plan in plans.items()]
    lanes.append(Lane("users", seed, scene, user_faults(seed, scene, crowd.slots), result.faults))
    lanes.append(Lane("database", seed, scene, site_faults(seed, scene), result.faults))
    for lane in lanes:
        lane.start()
    try:
        while (left := (ends - datetime.now(UTC)).total_seconds()) > 0 and not any(lane.error for lane in lanes):
            time.sleep(min(left, 5.0))
            tell(f"{len(result.faults)} faults, {left:.0f} s to go")
    finally:
        for lane in lanes:
            lane.end()
        for lane in lanes:
            lane.join()
    for lane in lanes:
        if lane.error is not None:
            raise lane.error


def _wait_until_over(engine: Engine, tell: Callable[[str], None]) -> float:
    """Wait until every run is over, up to a limit beyond which one that is not is an error."""
    began = time.monotonic()

    def unfinished() -> int:
        try:
            with engine.connect() as connection:
                query = "SELECT count(*) FROM run WHERE state IN ('pending', 'running')"
                return int(connection.execute(text(query)).scalar_one())
        except OperationalError:
            return -1

    try:
        wait_until(lambda: unfinished() == 0, "every run is over", limit=QUIET)
    except AssertionError:
        tell(f"{unfinished()} runs are not over {QUIET:g} s after the last fault")
    return time.monotonic() - began


def _judge(site: Site, engine: Engine, starts: datetime, ends: datetime, result: Result) -> None:
    clocks, defined = result.clocks, application(starts, ends)
    with engine.connect() as connection:
        result.facts = [
            *history.witnessed(connection, clocks),
            *history.effects(connection),
            *history.tables(connection, defined),
            *history.due(defined, ends),
            *history.diaries(site.folder, clocks),
            *history.haunted(result.tried, clocks),
            *history.outages(result.faults, clocks),
            *kept_for_others(result.users.hand_overs, clocks),
        ]
        result.skipped = {
            reason: int(times)
            for reason, times in connection.execute(
                text("SELECT reason, sum(count) FROM run WHERE state = 'skipped' GROUP BY reason")
            )
        }
        result.holders = {row.holder: row.pid for row in connection.execute(text("SELECT holder, pid FROM replica"))}
        query = text(
            "SELECT (SELECT balance FROM account), (SELECT count(*) FROM effect),"
            " (SELECT count(*) FROM lease WHERE holder IS NOT NULL)"
        )
        result.balance, result.effects, result.held = connection.execute(query).one()
    result.acknowledged = history.acknowledged(site.folder)
    bounds = Bounds(
        recovery=timedelta(seconds=1 + BOUND),
        complete=True,
        idle=timedelta(seconds=2 * TTL),
        finished=True,
        effects_written=True,
        tolerance=TOLERANCE[site.kind],
    )
    result.violations = check(result.facts, bounds)
    result.audit = _audit(site.url)


def application(starts: datetime, ends: datetime) -> Application:
    """Return the definitions that the replicas have."""
    with _environment({STARTS: starts.isoformat(), ENDS: ends.isoformat(), URL: ""}):
        return load(str(APPLICATION))


@contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    os.environ.update(more)
    try:
        yield
    finally:
        for name in more:
            del os.environ[name]


def _audit(url: str) -> dict[str, Any]:
    """Return what `leased audit` reports about the same database."""
    command = [sys.executable, "-P", "-m", "leased", "audit", f"--database={url}", "--json"]
    said = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    if said.returncode not in (0, 1) or not said.stdout:
        raise RuntimeError(f"leased audit ended with status {said.returncode}: {said.stderr}")
    told: dict[str, Any] = json.loads(said.stdout)
    return told
