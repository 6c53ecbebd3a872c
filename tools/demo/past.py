"""The past of the shop, as rows: what became of each scheduled time of five weeks."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from daemon.definitions.schedule import Schedule
from daemon.scheduling.lease_names import lease_name
from daemon.states import EndState
from daemon.store.tables import act, generation, job_output, job_run, run
from daemon.store.tables import schedule as schedules
from lease.schema import lease

APPLICATION = "shop"
FIRST_RUN = 30_001
WEEKS = timedelta(weeks=5)
SECONDS = {
    "sync-erp": (8, 2),
    "invoice-batch": (240, 60),
    "warehouse-export": (720, 160),
    "refresh-prices": (190, 20),
    "currency-rates": (58, 11),
    "daily-full-sync": (2_820, 400),
    "gdpr-deletion-requests-of-former-marketplace-tenants": (540, 90),
    "heartbeat-canary": (0.4, 0.05),
    "monthly-statements": (2_040, 240),
    "newsletter-digest": (180, 30),
    "search-reindex": (420, 60),
    "thumbnail-prewarm": (120, 25),
}
"""How long the runs of each take, and the deviation."""
LATEST = {"heartbeat-canary": timedelta(days=2), "refresh-prices": timedelta(days=5), "sync-erp": timedelta(days=9)}
"""For how long the past of some goes back."""
PUSHED = "POST https://erp.example.com/orders\n401 Unauthorized from erp.example.com: token expired\n"
PAUSED = timedelta(days=3)
"""So long ago newsletter-digest was paused."""
HOLDERS = ("web-1:2741", "web-2:2688")


@dataclass(frozen=True, slots=True)
class Past:
    """What became of a scheduled time."""

    schedule: Schedule
    at: datetime
    seconds: float
    holder: str
    state: EndState = "succeeded"
    reason: str | None = None
    count: int = 1
    crashed_after: float | None = None
    """The replica that had it first crashed so many seconds after its start."""
    by: str | None = None


def fill(connection: Connection, defined: Mapping[str, Schedule], now: datetime) -> None:
    """Write the past of these schedules, which are in the database and have not run yet."""
    random_ = random.Random(27)
    pasts = sorted((one for each in defined.values() for one in past_of(each, now, random_)), key=lambda one: one.at)
    tokens = dict.fromkeys((_lease_of(each) for each in defined.values()), 0)
    runs: list[dict[str, Any]] = []
    latest: dict[str, int] = {}
    for number, one in enumerate(pasts, FIRST_RUN):
        tokens[_lease_of(one.schedule)] += 2
        token = tokens[_lease_of(one.schedule)] - 1
        runs.append(_run(number, one, latest.get(one.schedule.name)) | {"_past": one, "_token": token})
        latest[one.schedule.name] = number
    jobs = [job for row in runs for job in _jobs(row)]
    outputs = [(number, job.pop("_text")) for number, job in enumerate(jobs, 1)]
    connection.execute(insert(run), [{key: row[key] for key in row if not key.startswith("_")} for row in runs])
    connection.execute(insert(job_run), [{"id": number, **job} for number, job in enumerate(jobs, 1)])
    lines = [{"job_run_id": number, "start": 0, "line": 0, "text": text} for number, text in outputs if text]
    connection.execute(insert(job_output), lines)
    connection.execute(delete(lease).where(lease.c.name.in_(tokens)))
    connection.execute(insert(lease), [{"name": name, "token": token} for name, token in tokens.items()])
    connection.execute(update(schedules).values(created_at=now - WEEKS))
    connection.execute(update(generation).values(came_at=now - timedelta(days=3)))
    connection.execute(insert(act), list(_acts(now, {row["schedule"]: row["id"] for row in runs})))


def past_of(each: Schedule, now: datetime, random_: random.Random) -> Iterator[Past]:
    """Yield what became of each scheduled time of a schedule, in their order."""
    usual, deviation = SECONDS.get(each.name, (0, 0))
    if not usual:
        return
    since = now - LATEST.get(each.name, WEEKS * (12 if each.name == "monthly-statements" else 1))
    instants: list[datetime] = []
    for at in each.instants(since, since):
        if at >= now - timedelta(minutes=1):
            break
        instants.append(at)
    ordinary = [
        Past(each, at, max(0.2 * usual, random_.gauss(usual, deviation)), HOLDERS[random_.random() < 0.5])
        for at in instants
    ]
    yield from _story(each.name, ordinary, now)


def _story(name: str, ordinary: list[Past], now: datetime) -> Iterable[Past]:
    """Return what became of a schedule's scheduled times, where that is not the ordinary."""
    match name:
        case "sync-erp":
            failed = [replace(one, state="failed", reason="job push exited 3", seconds=2.0) for one in ordinary[-4:]]
            return [*ordinary[:-4], *failed]
        case "invoice-batch" | "warehouse-export":
            return [one for one in ordinary if one.at < now - timedelta(minutes=60)]
        case "refresh-prices":
            over = [one for one in ordinary if one.at < now - timedelta(minutes=5)]
            return _overlapping(over, now - timedelta(minutes=80))
        case "currency-rates":
            by = "lea"
            ordinary[-3] = replace(ordinary[-3], state="cancelled", reason="cancelled by lea: bank holiday", by=by)
            return ordinary
        case "daily-full-sync":
            ordinary[-9] = replace(ordinary[-9], state="failed", reason="job prices exited 1", seconds=1_300.0)
            ordinary[-6] = replace(ordinary[-6], crashed_after=1_640.0, seconds=2_980.0)
            return ordinary[:-1] if ordinary[-1].at > now - timedelta(hours=1) else ordinary
        case "heartbeat-canary":
            ordinary[-205] = replace(ordinary[-205], state="failed", reason="job beat exited 1", seconds=1.0)
            return ordinary
        case "newsletter-digest":
            paused = now - PAUSED
            return [replace(one, state="skipped", reason="paused") if one.at > paused else one for one in ordinary]
        case "search-reindex":
            return [one for one in ordinary if not timedelta(hours=40) > now - one.at > timedelta(hours=8)]
        case "thumbnail-prewarm":
            missed = replace(ordinary[-11], state="skipped", reason="missed", count=2)
            return [*ordinary[:-11], missed, *ordinary[-9:]]
        case _:
            return ordinary


def _overlapping(ordinary: list[Past], since: datetime) -> Iterator[Past]:
    """Yield runs that take longer than the time until the next one, since then."""
    free_at = since
    for one in ordinary:
        if one.at < since:
            yield one
        elif one.at < free_at:
            yield replace(one, state="skipped", reason="overlap")
        else:
            long = replace(one, seconds=one.seconds + 230)
            free_at = long.at + timedelta(seconds=long.seconds)
            yield long


def _lease_of(each: Schedule) -> str:
    return lease_name(APPLICATION, each).base


def _run(number: int, one: Past, before: int | None) -> dict[str, Any]:
    ran = one.state != "skipped"
    ended = one.at + timedelta(seconds=one.seconds + 0.3) if ran else one.at + timedelta(seconds=0.1)
    step = one.schedule.trigger
    last = None
    if one.count > 1:
        instants = step.instants(one.at, zone=one.at.tzinfo, anchor=one.at)  # type: ignore[arg-type]
        last = [next(instants) for _ in range(one.count - 1)][-1]
    return {
        "id": number,
        "application": APPLICATION,
        "schedule": one.schedule.name,
        "scheduled_for": one.at,
        "last_scheduled_for": last,
        "count": one.count,
        "trigger": "schedule",
        "state": one.state,
        "reason": one.reason,
        "lease_name": _lease_of(one.schedule),
        "attempt": (2 if one.crashed_after else 1) if ran else 0,
        "digest": one.schedule.run_digest(),
        "cancelled_by": one.by,
        "cancelled_at": ended if one.by else None,
        "overlapped": before if one.reason == "overlap" else None,
        "overlapped_by": one.holder if one.reason == "overlap" else None,
        "away_from": one.at - timedelta(minutes=7) if one.reason == "missed" else None,
        "created_at": one.at,
        "started_at": one.at + timedelta(seconds=0.3) if ran else None,
        "finished_at": ended if last is None else last + timedelta(minutes=21),
    }


def _jobs(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the attempts of the jobs of a run, which share its time equally; the last one is that which failed."""
    one: Past = row["_past"]
    if row["started_at"] is None:
        return
    names = [job.name for job in one.schedule.jobs]
    if one.state == "failed":
        words = (row["reason"] or "").split()
        names = names[: names.index(words[1]) + 1]
    began, each = row["started_at"], timedelta(seconds=one.seconds / len(names))
    crash = None if one.crashed_after is None else row["started_at"] + timedelta(seconds=one.crashed_after)
    token, holder = row["_token"], one.holder
    for position, name in enumerate(names):
        ended, attempt = began + each, 1
        same = {"run_id": row["id"], "job": name, "position": position}
        if crash is not None and began < crash < ended:
            lost = {"state": "abandoned", "finished_at": crash + timedelta(seconds=14), "error": None}
            yield _job(same | lost, 1, token, holder, began) | {"exit_status": None, "_text": "8120 of 31200 items\n"}
            began, attempt, token = crash + timedelta(seconds=14), 2, token + 1
            holder = next(other for other in HOLDERS if other != holder)
        is_last = position == len(names) - 1
        bad = one.state in ("failed", "cancelled") and is_last
        state = {"failed": "failed", "cancelled": "stopped"}.get(one.state, "succeeded") if bad else "succeeded"
        status = int(row["reason"].split()[-1]) if one.state == "failed" and bad else 0
        over = {
            "state": state,
            "finished_at": max(ended, began + timedelta(seconds=1)),
            "error": f"exited {status}" if status else None,
            "exit_status": status,
        }
        yield _job(same | over, attempt, token, holder, began) | {
            "_text": PUSHED if name == "push" and bad else "done\n"
        }
        began = over["finished_at"]


def _job(values: Mapping[str, Any], attempt: int, token: int, holder: str, began: datetime) -> dict[str, Any]:
    return {**values, "attempt": attempt, "token": token, "holder": holder, "started_at": began}


def _acts(now: datetime, latest: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    done = [
        (3.2, "ci@runner-7", "deploy", None, None, None),
        (2.9, "dana", "trigger", "search-reindex", None, "the catalogue was imported again"),
        (1.6, "lea", "cancel", "currency-rates", latest["currency-rates"], "bank holiday"),
        (0.9, "dana", "retry", "daily-full-sync", latest["daily-full-sync"], "the supplier is back"),
    ]
    for days, who, what, name, run_id, why in done:
        at = now - timedelta(days=days)
        yield {
            "acted_at": at, "acted_by": who, "act": what, "application": APPLICATION,
            "schedule": name, "run_id": run_id, "why": why,
        }  # fmt: skip


def add_due(connection: Connection, each: Schedule, at: datetime) -> int:
    """Write the run of an instant that has passed, as a replica plans it; return its id."""
    known = connection.execute(select(schedules.c.run_digest).where(schedules.c.name == each.name)).scalar_one()
    made = insert(run).values(
        application=APPLICATION,
        schedule=each.name,
        scheduled_for=at,
        trigger="schedule",
        state="pending",
        lease_name=_lease_of(each),
        digest=known,
        available_at=at,
        created_at=at,
    )
    return int(connection.execute(made.returning(run.c.id)).scalar_one())
