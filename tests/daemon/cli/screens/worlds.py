"""Databases with a history that reads the same wherever it is told: of no schedule, of one, and of hundreds."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

import lease.statements
from daemon.definitions.application import Application, Known
from daemon.definitions.sources.load import load
from daemon.execution.attempt import JobSeen
from daemon.execution.claim import ClaimedRun, claim
from daemon.jobs.reports import Outcome, Piece, Progress
from daemon.jobs.stacks import SeenProcess, SeenWork, Stack
from daemon.operations.cancel import cancel
from daemon.operations.trigger import trigger
from daemon.recovery import registry
from daemon.scheduling.deploys.bring import bring, stage
from daemon.store import migrations
from daemon.store.statements import replica
from daemon.store.statements import run as of_runs
from tests.support.completion import EndedJob, finish_job, finish_run, retry_run, save_progress, start_job
from tests.support.entries import own_entry
from tests.support.store import TTL, Store

from .standing_clock import StandingClock

URL = "sqlite:///leased.db"
NOON = "2026-07-01T12:00:00Z"
"""When the screens are looked at."""

ONE = """
from daemon import Schedules

schedules = Schedules("shop")
hourly = schedules.add("refresh-exchange-rates", cron="0 * * * *", timezone="Europe/Berlin", tags=["money"], params={"day": ""})
hourly.command("download", "fetch-rates --all", timeout="10m", retries=1)
hourly.command("publish", "publish-rates", timeout="1m")
"""
MANY = """
from daemon import Schedules

schedules = Schedules("shop")
for number in range(1, 61):
    schedules.add(f"export-{number:02}", every="24h", timezone="UTC").command("export", "export", timeout="1h")
for number in range(1, COUNT - 60):
    schedules.add(f"s{number:04}", every="365d").command("work", "true", timeout="1m")
"""
OFFICE = """
from daemon import Schedules

schedules = Schedules("office")
schedules.add("export-01", cron="0 2 * * *").command("export", "export")
"""
CRONTAB = """HOME=/srv/shop
MAILTO=ops@example.org

# Copy all tables
0 3 * * * ./backup >> /var/log/backup.log 2>&1
@reboot ./warm-up
"""


def start_replica(store: Store, application: Application, holder: str, host: str, pid: int) -> None:
    """Let a replica come, which brings its definitions."""
    entry = own_entry(holder, application.name, application.digest)
    entry = dataclasses.replace(entry, host=host, pid=pid, boot_id=None, version="1.0.0", release="3f2a91c0")

    def unit(connection: Connection) -> None:
        registry.register(connection, entry)
        bring(connection, application, by=f"{host}:{pid}", holder=holder)
        replica.mark_ready(connection, holder)

    store.do(unit)


class World:
    """A database in the current folder, and what happens in it, each at its time."""

    def __init__(self, clock: StandingClock) -> None:
        migrations.upgrade(URL)
        self.clock = clock
        self.store = Store(URL)
        self.pids: dict[str, int] = {}

    def file(self, name: str, text: str) -> Application:
        Path(name).write_text(text)
        return load(name)

    def start(self, application: Application, host: str, pid: int) -> None:
        """Let a replica come, whose holder is its host."""
        self.pids[host] = pid
        start_replica(self.store, application, host, host, pid)

    def at(self, instant: str, *seen: str) -> None:
        """Let it be this time of that day; these replicas are still there, and have renewed their leases."""
        self.clock.set(f"2026-07-01T{instant}Z")
        for holder in seen:
            self.store.do(registry.touch, holder)
            self.store.do(lease.statements.renewing_unlocked(holder, TTL))

    def claim(self, application: Application, host: str, *schedules: str) -> list[ClaimedRun]:
        """Plan what is due, and let a replica claim of it what may start."""
        own = [one for one in application.schedules if one.name in schedules]
        self.store.plan(*own, application=application.name)
        known, label = Known({one.name: one.run_digest() for one in own}), f"{host}:{self.pids[host]}"
        return self.store.do(claim, application.name, known, host, label, TTL, 100)

    def begin(self, run: ClaimedRun, job: str, position: int = 0, attempt: int = 1) -> int:
        number = self.store.do(start_job, run, job, position, attempt)
        assert isinstance(number, int)
        return number

    def end(self, run: ClaimedRun, job: int, state: Any = "succeeded", text: str = "", reason: str = "") -> None:
        """End a run with its last job."""
        self.store.do(finish_run, run, state, reason or None, job=ended(job, state, text, reason))

    def do(self, act: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return self.store.do(act, *arguments, **named)


def ended(job: int, state: Any, text: str = "", error: str = "") -> EndedJob:
    status = 0 if state == "succeeded" else 1
    tail = Piece(0, 0, text) if text else None
    return EndedJob(job, Outcome(state, error or None, tail, status=status, peak_memory=48 * 1024 * 1024))


LOOK = JobSeen(
    "download",
    1,
    "process",
    SeenWork(
        [
            SeenProcess(
                5011, 5010, "sleeping", "wait_woken", 0.41, "leased: run 8 of refresh-exchange-rates, job download"
            ),
            SeenProcess(
                5014, 5011, "waiting for the kernel", "nfs_wait_bit", 0.02, "gpg --passphrase *** \x1b[31m rates.gpg"
            ),
        ],
        [
            Stack("main thread", ("/srv/shop/bank.py:88 in fetch", "/srv/shop/rates.py:17 in download")),
            Stack(
                "another thread", ("/usr/lib/python3.13/queue.py:199 in get", "/srv/shop/\u202ebank.py:41 in _parse"), 4
            ),
        ],
        ("a remark of the replica",),
    ),
)
"""What web-1 saw of run 8: it answers whoever asks while the clock stands."""


def nothing(world: World) -> None:
    """Tables, and nothing in them."""
    world.clock.set(NOON)


def one(world: World) -> None:
    """One schedule, and runs in each state: two replicas, one of which has gone since."""
    world.at("05:30:00")
    shop = world.file("one.py", ONE)
    (name,) = [schedule.name for schedule in shop.schedules]
    world.start(shop, "web-1", 4711)
    world.start(shop, "web-2", 4712)
    world.at("06:00:01", "web-1", "web-2")
    (run,) = world.claim(shop, "web-1", name)
    job = world.begin(run, "download")
    world.at("06:00:08", "web-1", "web-2")
    world.do(retry_run, run, 30.0, job=ended(job, "failed", "503 Service Unavailable\n", "exited with status 1"))
    world.at("06:00:39", "web-1", "web-2")
    (run,) = world.claim(shop, "web-1", name)
    job = world.begin(run, "download", attempt=2)
    world.at("06:02:39.5", "web-1", "web-2")
    world.do(finish_job, run, job, ended(job, "succeeded", "32 rates\tall\n").outcome)
    job = world.begin(run, "publish", 1)
    world.at("06:02:40.75", "web-1", "web-2")
    world.end(run, job)
    world.at("07:00:01", "web-1", "web-2")
    (run,) = world.claim(shop, "web-2", name)
    job = world.begin(run, "download")
    world.at("08:00:01", "web-1", "web-2")
    world.claim(shop, "web-1", name)
    world.at("08:10:00", "web-1", "web-2")
    reason = 'job "download" failed: exited with status 1'
    world.do(finish_run, run, "failed", reason, job=ended(job, "failed", "no route to host\n", "exited with status 1"))
    world.do(trigger, "shop", name, requested_by="ada@laptop", why="the rates of 07:00 are missing")
    world.do(cancel, 4, requested_by="bob@laptop", why="Ada did it by hand")
    for hour in ("09", "10", "11", "12"):
        world.at(f"{hour}:00:00", "web-1")
        for run in world.claim(shop, "web-1", name):
            job = world.begin(run, "download")
            if hour != "12":
                world.at(f"{hour}:00:20", "web-1")
                world.do(finish_job, run, job, ended(job, "succeeded").outcome)
                world.end(run, world.begin(run, "publish", 1))
    world.at("12:02:00", "web-1")
    world.do(lambda c: save_progress(c, "web-1", {job: Progress(12, 32, "Banco Central do Brasil")}))
    world.do(of_runs.answer_look, run.run_id, run.grant, json.dumps(dataclasses.asdict(LOOK)))
    world.do(trigger, "shop", name, requested_by="ada@laptop", params={"day": "2026-06-30"})


def many(world: World, count: int) -> None:
    """Hundreds of schedules of two applications: most have had no run, and more fail than a screen has lines."""
    hosts = "leased-6f7d9c8b55-x2x7k", "leased-6f7d9c8b55-q8w4z"
    world.at("00:00:00")
    shop = world.file("many.py", MANY.replace("COUNT", str(count)))
    office = world.file("office.py", OFFICE)
    world.start(shop, hosts[0], 7)
    world.start(shop, hosts[1], 7)
    world.start(office, "office-1", 815)
    world.do(stage, dataclasses.replace(office, revision=42), by="ada@laptop")
    world.at("02:00:00", *hosts, "office-1")
    (run,) = world.claim(office, "office-1", "export-01")
    world.end(run, world.begin(run, "export"))
    world.at("11:00:00", *hosts)
    exports = [schedule.name for schedule in shop.schedules if schedule.name.startswith("export")]
    for name in exports:
        world.do(trigger, "shop", name, requested_by="ada@laptop")
    runs = world.claim(shop, hosts[0], *exports)
    jobs = [world.begin(run, "export") for run in runs]
    world.at("11:05:00", *hosts)
    for number, (run, job) in enumerate(zip(runs[:57], jobs, strict=False)):
        printed = "Exporting\ndisk full\n" if number < 3 else ""
        world.end(run, job, "failed", printed, "exited with status 1")
    world.end(runs[57], jobs[57])
    for name in exports[:2]:
        world.do(trigger, "shop", name, requested_by="ada@laptop")
    world.at("12:00:00", hosts[0])
