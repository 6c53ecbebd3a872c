"""The situations: how each is made, what its cause is, and which answer names that."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.support.waiting import wait_until

from .desk import Desk

FIRST_LINES = 15
"""How many lines somebody who is in a hurry reads of an answer."""
WHY, RUN, STATUS, DOCTOR, REPORT = (
    ("why", "report"),
    ("why", "2"),
    ("status",),
    ("doctor",),
    ("report", "--since", "10m"),
)
Answer = tuple[tuple[str, ...], str]
"""A command, and a pattern that is in the first lines of what it prints."""
Stage = Callable[[Desk], None]


@dataclass(frozen=True, slots=True)
class Situation:
    """Something that is wrong with `report`."""

    cause: str
    """What it is, in a sentence."""
    stage: Stage
    answers: tuple[Answer, ...]


SITUATIONS: list[Situation] = []


def situation(cause: str, *answers: Answer) -> Callable[[Stage], Stage]:
    def staged(stage: Stage) -> Stage:
        SITUATIONS.append(Situation(cause, stage, answers))
        return stage

    return staged


@situation("dana has paused it", (WHY, r"paused .*dana"), (STATUS, r"paused by dana"))
def paused(desk: Desk) -> None:
    desk.work()
    desk.ask("pause", "report", "--by", "dana", "--why", "the supplier is moving")


@situation("a deploy has disabled it", (WHY, r"report is disabled"))
def disabled(desk: Desk) -> None:
    desk.stop(desk.work())
    desk.run(desk.deploy(enabled="false"))


@situation(
    "a deploy excludes these days",
    (WHY, r"its definition excludes that day|excluded: its schedule does not run on that day"),
)
def excluded(desk: Desk) -> None:
    desk.stop(desk.work())
    days = [(datetime.now(UTC) + timedelta(days=more)).strftime("%Y-%m-%d") for more in (-1, 2)]
    desk.run(desk.deploy(exclude=f'["{"..".join(days)}"]'))


@situation("a deploy has renamed it to sales-report", (WHY, r"report is now called sales-report"))
def renamed(desk: Desk) -> None:
    desk.stop(desk.work())
    desk.run(desk.deploy(name="sales-report", was='"report"'))


@situation(
    "a deploy has left it out",
    (WHY, r"report was retired by generation 2"),
    (STATUS, r"Retired in the last day: report"),
)
def gone(desk: Desk) -> None:
    desk.stop(desk.work())
    desk.run(desk.deploy(name=None))


@situation("its `ends` is over", (WHY, r"report has no scheduled time left"))
def ended(desk: Desk) -> None:
    desk.stop(desk.work())
    desk.run(desk.deploy(ends=f'"{(datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")}"'))


@situation("its job waits for the supplier", (RUN, r"last output +waiting for the supplier"))
def hung(desk: Desk) -> None:
    desk.stop(desk.work())
    command = "echo waiting for the supplier; sleep 3600"
    desk.run(desk.deploy(jobs=f'[{{ name = "write", command = "{command}", timeout = "2h" }}]'))
    desk.until(*RUN, says="last output")


@situation("a deploy has set it to January 1st", (WHY, r"changed by generation 2, .* cron 0 4 1 1"))
def retimed(desk: Desk) -> None:
    desk.stop(desk.work())
    desk.run(desk.deploy(every="", cron='"0 4 1 1 *"', timezone='"UTC"'))


@situation("a deploy has moved it to the time zone of Auckland", (WHY, r"Pacific/Auckland"))
def moved_to_another_zone(desk: Desk) -> None:
    at = f'"{(datetime.now(UTC) + timedelta(minutes=30)).strftime("%M %H")} * * *"'
    desk.stop(desk.run(desk.deploy(every="", cron=at, timezone='"UTC"')))
    desk.run(desk.deploy(every="", cron=at, timezone='"Pacific/Auckland"'))


@situation("a run of stock takes the only place", (WHY, r"run 2 .*capacity"), (RUN, r"running now .*stock"))
def no_capacity(desk: Desk) -> None:
    desk.run(desk.deploy(every='"20s"', head="[settings]\nconcurrency = 1"))
    desk.trigger("stock")
    wait_until(lambda: [one for one in desk.runs("stock") if one.state == "running"], "stock runs")
    desk.until("why", "report", says="capacity")


@situation("runs of mail have a higher priority, and go first", (WHY, r"goes first: its priority is higher"))
def behind_higher_priority(desk: Desk) -> None:
    desk.run(desk.deploy(every='"10s"', head="[settings]\nconcurrency = 1"))
    for _ in range(20):
        desk.trigger("mail")
    desk.until("why", "report", says="goes first")


@situation(
    "the database was away for over a minute, and what was due then is not caught up with",
    (REPORT, r"missed"),
    (REPORT, r"Outage: no replica of shop planned anything from"),
)
def lost_night(desk: Desk) -> None:
    desk.work(desk.deploy(every='"10s"', catch_up='"skip"'))
    with closing(sqlite3.connect(desk.folder / "leased.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(80)  # what takes over a minute is an outage
        other.execute("ROLLBACK")
    desk.until("report", "--since", "10m", says="missed")


@situation(
    "its replica is stopped (SIGSTOP)",
    (STATUS, r"silent .* no other replica is running"),
    (("why", "1"), r"lease +token 1, expired"),
)
def frozen(desk: Desk) -> None:
    jobs = '[{ name = "write", command = "sleep 5", timeout = "1h" }]'
    replica = desk.run(desk.deploy(jobs=jobs))
    wait_until(lambda: [one for one in desk.runs("report") if one.state == "running"], "report runs")
    desk.pause(replica)
    desk.until("status", says="silent")


@situation("the new definitions have a lower revision, and are held back", (STATUS, r"held back by revision 7"))
def held_back(desk: Desk) -> None:
    desk.stop(desk.work(desk.deploy(head="revision = 7")))
    desk.run(desk.deploy(head="revision = 6", every='"3s"'))


@situation("a replica runs an older release", (("replicas",), r"2 releases of shop are live"))
def old_release(desk: Desk) -> None:
    file = desk.deploy()
    desk.run(file, LEASED_RELEASE="with-the-bug")
    desk.run(file, LEASED_RELEASE="with-the-fix")


@situation(
    "its job fails: disk quota exceeded", (STATUS, r"disk quota exceeded"), (WHY, r"last output +disk quota exceeded")
)
def failing(desk: Desk) -> None:
    desk.stop(desk.work())
    jobs = '[{ name = "write", command = "echo disk quota exceeded >&2; exit 1", timeout = "1m", retries = 1, backoff = "1s" }]'
    desk.run(desk.deploy(every='"1h"', jobs=jobs))
    desk.trigger("report")
    wait_until(lambda: [one for one in desk.runs("report") if one.state == "failed"], "report fails")


@situation("dana's shell holds the lock that it needs", (WHY, r"dana's shell"))
def locked_from_outside(desk: Desk) -> None:
    desk.work(desk.deploy(lock='"warehouse"'))
    desk.hold("warehouse", "dana's shell")
    desk.until("why", "report", says="dana's shell")


@situation("no replica is running", (STATUS, r"no replica is running"), (WHY, r"no replica of shop is running"))
def nobody_runs(desk: Desk) -> None:
    desk.work().kill()


@situation("everybody may write to the database's file", (DOCTOR, r"everybody may write"))
def open_to_everybody(desk: Desk) -> None:
    desk.work()
    (desk.folder / "leased.db").chmod(0o666)
