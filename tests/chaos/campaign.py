"""A campaign: replicas at work, faults in a seeded order, a quiet end, a check of the history."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from lease.database.address import parse_address
from tests.support.marked import kill_marked, marked_environment
from tests.support.moved_clock import library
from tests.support.starvation import measured
from tests.support.waiting import wait_until

from . import history
from .diary import FOLDER
from .escapee import Escapee
from .faults.clocks import install_clock
from .faults.fault import Scene
from .fleet import APPLICATION, Fleet, Slot
from .judgement import TTL, Result, judge
from .lanes import Lane, site_faults, slot_faults, user_faults
from .processes import hides_boot_id
from .releases import LAST
from .site import Site
from .stepping.judgement import judge as judge_stepped
from .stepping.site import SteppedSite, step_faults
from .stepping.steps import SteppedClocks
from .users.crowd import Crowd
from .users.inquiry import inquire, stuck
from .users.plans import PEOPLE
from .worker import ENDS, STARTS, URL

SLOTS = ("north", "east", "south")
PLACES = (*PEOPLE, *SLOTS)
"""Whoever has a way of its own to the database; that of the last is through PgBouncer."""
QUIET = 120.0
"""Seconds after the last fault within which every run must be over."""
URL_FILE = "LEASED_DATABASE_URL_FILE"
PARKS = {"postgres": 0.3, "sqlite": 0.05}
"""Seconds for which the escapee keeps a fenced transaction open; on SQLite all writers wait."""


def run(site: Site, seconds: float, seed: int) -> Result:
    """Inflict faults for so many seconds, and return the result."""
    result = Result(site.kind, seed, seconds)
    for name in ("diaries", "mischief"):
        (site.folder / name).mkdir(exist_ok=True)
    with ExitStack() as stack:
        starvation = stack.enter_context(measured(site.folder))  # not of the disk, for which no campaign waits
        site = stack.enter_context(site)
        starts = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=8)
        stepped = site if isinstance(site, SteppedSite) else None
        ends = starts + timedelta(seconds=seconds + (stepped.gain(seconds) if stepped else 0.0))
        engine = create_engine(parse_address(site.url), poolclass=NullPool)
        stack.callback(engine.dispose)
        fleet = Fleet(make_slots(site, SLOTS, starts, ends), site.folder)
        stack.callback(fleet.close)
        fleet.start()
        escapee = Escapee(site.jobs_address, engine.connect, seed, longest_park=PARKS[site.kind])
        escapee.start()
        stack.callback(escapee.end)
        crowd = Crowd(site, seed, TTL)
        stack.callback(crowd.close)
        crowd.start()
        _inflict(Scene(site, fleet), crowd, seed, starts + timedelta(seconds=seconds), result)
        escapee.end()
        crowd.stop()
        if stepped is not None:
            _pass(stepped, ends)
        _end_with_the_last_release(site, fleet, engine)
        result.tried = escapee.tried
        result.acts, result.at_once = fleet.acts, fleet.at_once
        result.settled_after = _wait_until_over(engine)
        result.statuses = fleet.stop()
        result.busy = starvation.rounds()
        result.ends = fleet.ends
        result.strays = kill_marked(FOLDER, site.folder)
        result.logs = fleet.logs
        if stepped is not None:
            result.clocks = SteppedClocks.of(result.clocks, stepped.steps)
        result.losses = list(history.losses(fleet.logs, result.clocks))
        result.given_back = set(history.given_back(fleet.logs))
        result.bad_lines = list(history.bad_lines(fleet.logs))
        result.seen_alive = fleet.seen_alive
        result.intrusions = fleet.intrusions
        result.elsewhere = _replicas_of(site.elsewhere)
        out_of_reach = stuck(site.url, TTL)
        result.users = replace(inquire(site, engine, crowd, result.faults, result.clocks), stuck=out_of_reach)
        if stepped is not None:
            judge_stepped(stepped, engine, starts, ends, result)
        else:
            judge(site, engine, starts, ends, result)
    return result


def make_slots(site: Site, names: Sequence[str], starts: datetime, ends: datetime) -> list[Slot]:
    """Return the slots: of three, the first cannot read the boot's id on SQLite, the second has a movable wall clock,
    the third a supervisor.
    """
    common = (
        f"--ttl={TTL:g}s",
        "--poll=0.5s",
        "--concurrency=12",
        "--grace=20s",
        "--takeover-after=3s",
        "--log-format=json",
        "--no-web",
    )
    told = {STARTS: starts.isoformat(), ENDS: ends.isoformat(), URL: site.jobs_address, **site.environment}
    slots = []
    for number, name in enumerate(names):
        # Where the database's clock steps, no other does: that replica would be slow to start for nothing.
        preload = library() if number == 1 and len(names) > 2 and not isinstance(site, SteppedSite) else None
        clock = install_clock(site.folder, name) if preload else {}
        url_file = _url_file(site, name) if number == 2 else None
        given = {} if url_file is None else {URL_FILE: str(url_file)}
        options = common if url_file else (f"--database={site.address(name)}", *common)
        options = (*options, *(("--replicas=2",) if number == 2 else ()))
        through = hides_boot_id() if number == 0 and site.kind == "sqlite" else ()
        environment = marked_environment(FOLDER, site.folder, {**told, **clock, **given})
        slots.append(Slot(name, options, environment, preload, through, url_file))
    return slots


def _url_file(site: Site, name: str) -> Path:
    file = site.folder / f"{name}.url"
    file.touch(0o600)
    file.write_text(site.address(name))
    return file


def _inflict(scene: Scene, crowd: Crowd, seed: int, ends: datetime, result: Result) -> None:
    slots = scene.fleet.slots
    plans = {f"replicas-{lane}": slot_faults(seed, lane, scene, slots) for lane in (1, 2)}
    lanes = [Lane(name, seed, scene, plan, result.faults) for name, plan in plans.items()]
    lanes.append(Lane("users", seed, scene, user_faults(seed, scene, crowd.slots), result.faults))
    lanes.append(Lane("database", seed, scene, site_faults(seed, scene), result.faults))
    if isinstance(scene.site, SteppedSite):
        lanes.append(Lane("clock", seed, scene, step_faults(scene.site), result.faults))
    for lane in lanes:
        lane.start()
    try:
        while (left := (ends - datetime.now(UTC)).total_seconds()) > 0 and not any(lane.error for lane in lanes):
            time.sleep(min(left, 5.0))
    finally:
        for lane in lanes:
            lane.end()
        for lane in lanes:
            lane.join()
    for lane in lanes:
        if lane.error is not None:
            raise lane.error


def _replicas_of(url: str) -> int:
    engine = create_engine(parse_address(url), poolclass=NullPool)
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM replica")).scalar_one())


def _pass(site: SteppedSite, ends: datetime) -> None:
    """Step beyond the last instant that is due, if the clock is not there yet."""
    left = (ends - datetime.now(UTC)).total_seconds() - site.clock.ahead
    if left > 0 and site.steps_are == "broken":
        site.step(round(left, 3))


def _end_with_the_last_release(site: Site, fleet: Fleet, engine: Engine) -> None:
    """Deploy the last release everywhere, so that all that is still to be planned is."""
    fleet.deploy(LAST)
    told = fleet.command("sync", str(APPLICATION), f"--database={site.url}", "--take-over")
    if told.status != 0:
        raise RuntimeError(f"leased sync ended with status {told.status}: {told.said}")
    fleet.command("resume", "--all", f"--database={site.url}")  # where a fault could not reach the database
    with engine.connect() as connection:
        paused = connection.scalars(text("SELECT id FROM backfill WHERE paused_at IS NOT NULL")).all()
    for backfill in paused:
        fleet.command("resume", f"--backfill={backfill}", f"--database={site.url}")


def _wait_until_over(engine: Engine) -> float:
    """Wait until every run is over, up to a limit beyond which one that is not is an error."""
    began = time.monotonic()

    def unfinished() -> int:
        try:
            with engine.connect() as connection:
                query = "SELECT count(*) FROM run WHERE state IN ('pending', 'running')"
                return int(connection.execute(text(query)).scalar_one())
        except OperationalError:
            return -1

    with suppress(AssertionError):
        wait_until(lambda: unfinished() == 0, "every run is over", limit=QUIET)
    return time.monotonic() - began
