"""Each alert of `deploy/alerts.yml` fires if the product gets into the situation that it is for, and no other does.

A test causes the situation, `/metrics` is scraped meanwhile, and promtool evaluates the rules on what it said.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import time

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from daemon import Schedules
from daemon.operations.pause import pause
from daemon.operations.selection import Selection
from daemon.telemetry.facts import LeaseChanged
from daemon.web.metrics import collector, served
from daemon.web.metrics.served import ServedMetrics
from lease.client import LeaseClient
from lease.errors import StoreUnavailable
from lease.timing import LeaseTiming
from tests.daemon.web.test_metrics import own
from tests.lease.beating import Beating
from tests.support.binaries import Binaries
from tests.support.databases import make_tables
from tests.support.manual import Gate, failing, nothing
from tests.support.moved_clock import MISSING, ClockedServer, library
from tests.support.promtool import RULES
from tests.support.receiver import Receiver
from tests.support.scraped import Scraped, Scrapes, scraped

pytestmark = [pytest.mark.anyio, pytest.mark.extended, pytest.mark.usefixtures("processes")]
Cause = Callable[[Scraped], Awaitable[None]]
CAUSES: list[tuple[Sequence[str], Cause]] = []
"""With the alerts that fire then, each with its severity."""


def causes(*alerts: str) -> Callable[[Cause], Cause]:
    def take(cause: Cause) -> Cause:
        CAUSES.append((alerts, cause))
        return cause

    return take


def shop(every: str = "10m", job: Callable[..., object] = nothing, name: str = "tick", **settings: object) -> Schedules:
    of_application = {key: settings.pop(key) for key in ("revision", "require_revision") if key in settings}
    schedules = Schedules("shop", **of_application)  # type: ignore[arg-type]
    schedules.add(name, every=every, **settings).job(name="job", timeout="5h", isolation="task")(job)  # type: ignore[arg-type]
    return schedules


@causes()
async def all_is_well(world: Scraped) -> None:
    await world.start(shop(), replicas=2)
    await world.pass_time(60, times=5)


@causes("LeasedNoSuccess critical", "LeasedFailingInARow critical")
async def no_run_succeeds(world: Scraped) -> None:
    await world.start(shop("20m", failing, finish_by="5m"), replicas=2)
    await world.pass_time(70, times=2)


@causes("LeasedFailingInARow critical")
async def three_runs_fail(world: Scraped) -> None:
    await world.start(shop("5m", failing), replicas=2)
    await world.pass_time(20)


@causes("LeasedScheduleLate warning")
async def a_program_keeps_the_lock_that_runs_wait_for(world: Scraped) -> None:
    await world.start(shop("10m", lock="api"), replicas=2)
    await world.pass_time(5)
    async with LeaseClient(world.store.url) as program, program.hold("api"):
        await world.pass_time(15)


@causes("LeasedInstantsMissed warning")
async def the_fleet_was_away(world: Scraped) -> None:
    await world.start(shop("10m", start_within="1m", catch_up="latest"), replicas=2)
    await world.pass_time(20)
    world.store.clock.advance("15m")
    await world.pass_time(1)


@causes()
async def the_fleet_was_away_and_what_it_missed_may_be_skipped(world: Scraped) -> None:
    await world.start(shop("10m", start_within="1m", catch_up="skip"), replicas=2)
    await world.pass_time(20)
    world.store.clock.advance("15m")
    await world.pass_time(1)


@causes("LeasedThinned warning", "LeasedRunLongerThanUsual warning")
async def a_run_takes_longer_than_the_interval(world: Scraped) -> None:
    gate = Gate()
    for one in await world.start(shop("1m", gate.passed), replicas=2):
        one.runs_long = True
    await world.pass_time(25)
    gate.open()


@causes(*(f"LeasedRunLongerThanUsual {one}" for one in ("warning", "critical", "emergency")))
async def a_run_takes_an_hour(world: Scraped) -> None:
    gate = Gate()
    for one in await world.start(shop("1h", gate.passed, start_within="1h"), replicas=2):
        one.runs_long = True
    await world.pass_time(115, times=5)
    gate.open()


@causes("LeasedMarginThin warning")
async def renewals_are_answered_late(world: Scraped) -> None:
    """The heartbeat's second attempt, after the first had no answer in time."""
    (one, _), beating = await world.start(shop(), replicas=2), Beating(LeaseTiming())
    await beating.hold()

    async def beat() -> None:
        beating.store.raises.append(StoreUnavailable("no answer within 2s"))
        beating.store.before_answer = lambda: beating.clock.advance(1.9)
        await beating.beat_when_due()
        beating.clock.advance(2.0)
        await beating.beat_when_due()

    for _ in range(20):
        await beat()
        for event in beating.told.all:
            one.count(LeaseChanged(event))
        beating.told.all.clear()
        await world.pass_time(1)


@causes("LeasedLeaseLost warning")
async def a_lease_is_lost(world: Scraped) -> None:
    gate = Gate()
    (one, _) = await world.start(shop("10m", gate.passed), replicas=2)
    await world.pass_time(5)
    one.runs_long = True
    run = await one.manual.trigger("tick")
    await one.manual.tick()
    await gate.entered()
    await one.manual.lose_lease(run)
    gate.open()
    await world.pass_time(1)


@causes("LeasedReplicasBelow critical")
async def a_replica_stops(world: Scraped) -> None:
    (one, _) = await world.start(shop(), replicas=2)
    await world.pass_time(5)
    await world.stop(one)
    await world.pass_time(10)


@causes("LeasedReplicaSilent warning")
async def a_replica_dies_far_away(world: Scraped) -> None:
    (one, *_) = await world.start(shop(), replicas=3)
    await world.pass_time(5)
    one.is_silent = one.is_unreachable = True
    await world.pass_time(3)


NOBODY = ("LeasedReplicasBelowAbsent", "LeasedLoopDeadAbsent", "LeasedNoSuccessAbsent")


@causes(*(f"{one} critical" for one in NOBODY), "LeasedSnapshotStaleAbsent warning")
async def no_replica_answers(world: Scraped) -> None:
    started = await world.start(shop(), replicas=2)
    await world.pass_time(5)
    for one in started:
        one.is_unreachable = True
    await world.pass_time(15)


@causes("LeasedNoSuccessAbsent critical", "LeasedSnapshotStaleAbsent warning")
async def no_replica_has_ever_read_the_database(world: Scraped) -> None:
    await world.start(shop(), replicas=2)
    world.store.available = False
    await world.pass_time(10)


@causes("LeasedLoopDead critical")
async def a_loop_hangs(world: Scraped) -> None:
    (one, *_) = await world.start(shop(), replicas=3)
    await world.pass_time(5)
    one.hangs = True
    await world.pass_time(5)


@causes("LeasedPausedForLong info")
async def a_schedule_is_paused_for_a_week(world: Scraped) -> None:
    world.scrapes.every = 4  # otherwise promtool would take minutes
    await world.start(shop("1h", failing, finish_by="10m"), replicas=2)
    await world.pass_time(80)
    world.scrapes.fires("LeasedNoSuccess critical")
    await world.store.write(lambda c: pause(c, Selection("shop", "tick"), requested_by="ann"))
    await world.pass_time(6 * 24 * 60, times=90)
    world.scrapes.fires()
    await world.pass_time(2 * 24 * 60, times=90)


@causes("LeasedGenerationsMixed warning")
async def a_deploy_stops_half_way(world: Scraped) -> None:
    await world.start(shop(), replicas=2)
    await world.pass_time(5)
    await world.start(shop("20m"))
    await world.pass_time(40, times=5)


@causes("LeasedGenerationsHeldBack warning")
async def replicas_of_an_older_revision_stay(world: Scraped) -> None:
    await world.start(shop(revision=1, require_revision=True), replicas=2)
    await world.start(shop(revision=2, require_revision=True))
    await world.pass_time(40, times=5)


@causes("LeasedSchedulesRetired info")
async def a_deploy_leaves_a_schedule_out(world: Scraped) -> None:
    old = await world.start(shop(name="old"), replicas=2)
    await world.pass_time(20)
    await world.stop(*old)
    await world.start(shop(name="new"), replicas=2)
    await world.pass_time(2)


@causes("LeasedNotificationsFail warning")
async def a_target_takes_no_messages(world: Scraped) -> None:
    with Receiver() as receiver:
        receiver.status = 503
        (one, _) = await world.start(shop("10m", failing, notify={"url": receiver.url}), replicas=2)
        await world.pass_time(11)
        await one.deliver()
        await world.pass_time(1)


@causes("LeasedClockOffset warning")
async def the_clock_of_a_machine_is_wrong(world: Scraped) -> None:
    await world.start(shop(), replicas=2)
    world.ahead = 1.5
    await world.pass_time(10)


@causes("LeasedSnapshotStale warning")
async def the_database_stays_away(world: Scraped) -> None:
    await world.start(shop("2h"), replicas=2)
    await world.pass_time(5)
    world.store.available = False
    await world.pass_time(5)


@pytest.mark.parametrize(("alerts", "cause"), [pytest.param(*one, id=one[1].__name__) for one in CAUSES])
async def test_what_fires(alerts: Sequence[str], cause: Cause, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scraped(monkeypatch) as world:
        await cause(world)
        world.store.available = True
    world.scrapes.fires(*alerts)
    world.scrapes.check(tmp_path)


async def test_an_old_transaction_fires(
    postgres_programs: Binaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if library() is None:
        pytest.skip(MISSING)
    monkeypatch.setattr(served, "EVERY", 0.0)
    with ClockedServer(postgres_programs) as server:
        for module in (served, collector):
            monkeypatch.setattr(module, "time", lambda: time() + server.clock.ahead)
        make_tables(server.url())
        metrics, scrapes = ServedMetrics(server.url(), own(), print), Scrapes(time())
        with create_engine(server.url(), poolclass=NullPool).connect() as connection:
            connection.execute(text("SELECT 1"))
            for _ in range(18):
                server.step(60.0)
                scrapes.take({"replica-1": (await metrics.text()).decode()})
        metrics.close()
    scrapes.fires("LeasedOldTransaction warning", "LeasedNoSuccessAbsent critical")
    scrapes.check(tmp_path)


def test_each_alert_is_caused() -> None:
    rules = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
    caused = {alert.split()[0] for alerts, _ in CAUSES for alert in alerts}
    assert rules - caused == {"LeasedWatchdog", "LeasedOldTransaction"}, "which are tried everywhere, and above"
