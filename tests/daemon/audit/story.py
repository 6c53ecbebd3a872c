"""A rich history, made by the daemon's own code; and what the audit says of a database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Table, update

from daemon.audit import Violation, check
from daemon.audit.history import History, history, read_tables
from daemon.cli.ask import ask_url
from daemon.definitions.schedule import Schedule
from daemon.definitions.triggers.trigger import Every
from daemon.execution.claim import ClaimedRun
from daemon.execution.writes.transactions import Done, EndedJob
from daemon.jobs.reports import Outcome
from daemon.operations.cancel import cancel
from daemon.operations.trigger import trigger
from daemon.recovery.registry import ReplicaEntry, register
from daemon.recovery.settle import settle
from daemon.scheduling.deploys.rollout import adopt
from daemon.scheduling.plan import first_state
from daemon.store.statements.schedule import database_time
from daemon.store.tables import job_run, replica, schedule
from tests.support.completion import finish_job, finish_run, hand_back, retry_run, start_job
from tests.support.store import Store, a_schedule, an_application, an_at

HOURLY = a_schedule("hourly", jobs=("zones", "orders"), catch_up="all", overlap="queue")
TICKS = a_schedule("ticks", Every(1.0), catch_up="skip")
PAUSED = a_schedule("paused", Every(60.0))
ALLOWED = a_schedule("allowed", Every(600.0), catch_up="all", overlap="allow")
LEFT, RIGHT = (a_schedule(name, lock="the line") for name in ("left", "right"))
CHANGING = a_schedule("changing")
RENAMED = a_schedule("renamed", overlap="queue")
RETIRED = a_schedule("retired", Every(60.0))
DISABLED = a_schedule("disabled", Every(60.0), enabled=False)
ENDING = a_schedule("ending", Every(60.0))
ONCE = an_at("once")
HANGING = a_schedule("hanging")

FIRST = (HOURLY, TICKS, PAUSED, ALLOWED, LEFT, RIGHT, CHANGING, RENAMED, RETIRED, DISABLED, ENDING, ONCE, HANGING)
CHANGED = {
    "changing": CHANGING.model_copy(update={"every": 61.0, "catch_up": "all"}),
    "renamed": RENAMED.model_copy(update={"overlap": "allow"}),
    "ending": ENDING.model_copy(update={"enabled": False}),
}
SECOND = tuple(CHANGED.get(one.name, one) for one in FIRST if one is not RETIRED)


@dataclass(frozen=True)
class Story:
    """Runs of the history by what became of them."""

    succeeded: tuple[ClaimedRun, ClaimedRun]
    """Two of `hourly`, the one right after the other."""
    under_way: ClaimedRun
    """Of `hourly`, with a job that runs."""
    cancelled: int
    """Of `hanging`; it had started."""


def audit(url: str, application: str | None = None) -> list[Violation]:
    """What is wrong with what is in a database."""
    return check(tell(url, application).facts)


def tell(url: str, application: str | None = None) -> History:
    return history(ask_url(url, lambda connection: read_tables(connection, application)))


def make(store: Store) -> Story:
    """Fill a database; each run by the functions with which a replica makes it."""
    store.do(register, ReplicaEntry("h1", "shop", "a host", 1, 2, "boot", "pid:[1]", "0.1"))
    store.shift(replica, started_at=-600.0)
    store.sync(*FIRST)
    for one in FIRST:
        age(store, one, {"hourly": 5.5 * 3600, "changing": 2.5 * 3600, "allowed": 1900.0}.get(one.name, 1200.0))
    store.shift(schedule, schedule.c.name == "paused", paused_at=-1300.0)
    plan(store, FIRST)
    succeeded, under_way = _runs_in_a_row(store)
    _runs_at_once(store)
    _a_shared_lock(store)
    _what_changes(store)
    work(store, claim(store, "ticks"), "work")
    work(store, claim(store, "once"), "work")
    return Story(succeeded, under_way, _what_is_cancelled(store))


def _runs_in_a_row(store: Store) -> tuple[tuple[ClaimedRun, ClaimedRun], ClaimedRun]:
    first = claim(store, "hourly")
    work(store, first, "zones", "orders")

    failing = claim(store, "hourly")
    succeed(store, failing, "zones")
    finished(store.do(retry_run, failing, 0.0, job=failed(store, failing, "orders", 1)))
    second = claim(store, "hourly", "h2")
    work(store, second, "orders")

    dying = claim(store, "hourly", "h2")
    begin(store, dying, "zones")
    store.go_stale(dying.grant)
    assert [settled.outcome for settled in store.do(settle)] == ["abandoned"]
    work(store, claim(store, "hourly"), "zones", "orders")

    draining = claim(store, "hourly")
    stopped = EndedJob(begin(store, draining, "zones"), Outcome("stopped"))
    finished(store.do(hand_back, draining, job=stopped))
    hopeless = claim(store, "hourly", "h2")
    of_it = failed(store, hopeless, "zones")
    finished(store.do(finish_run, hopeless, "failed", "no", job=of_it, not_started=[("orders", 1)]))

    asked = store.do(trigger, "shop", "hourly", requested_by="ada")
    last = claim(store, "hourly")
    succeed(store, last, "zones")
    begin(store, last, "orders", 1)
    assert store.run(asked).available_at is None
    return (first, second), last


def _runs_at_once(store: Store) -> None:
    succeeding, failing, _ = sorted(store.claim("allowed", ttl=600.0), key=lambda claimed: claimed.run_id)
    work(store, succeeding, "work")
    fail(store, failing, "work")


def _a_shared_lock(store: Store) -> None:
    """Another run is granted the lease before it is noticed that its holder died."""
    for name in ("left", "right"):
        store.do(trigger, "shop", name, requested_by="ada")
    dying = claim(store, "left", "h2")
    begin(store, dying, "work")
    store.go_stale(dying.grant)
    other = claim(store, "right")
    number = begin(store, other, "work")
    assert [settled.outcome for settled in store.do(settle)] == ["abandoned"]
    store.shift(job_run, job_run.c.state == "abandoned", finished_at=30.0)  # it was noticed long after
    finished(store.do(finish_run, other, "succeeded", job=EndedJob(number, Outcome("succeeded"))))
    work(store, claim(store, "left"), "work")


def _what_changes(store: Store) -> None:
    store.do(trigger, "shop", "renamed", requested_by="ada")
    waiting = claim(store, "renamed")
    finished(store.do(retry_run, waiting, 0.0, job=failed(store, waiting, "work")))
    work(store, claim(store, "changing"), "work")
    store.sync(*SECOND)
    store.do(adopt, an_application(*SECOND), "h1", {row.digest for row in store.runs()})
    of_it = schedule.c.name == "changing"
    store.shift(schedule, of_it, anchor=-1200.0, planned_until=-1200.0, next_due=-1139.0)
    then = store.do(database_time) - timedelta(seconds=1200)
    write(store, schedule, of_it, changed_at=then, synced_at=then)
    plan(store, SECOND)
    work(store, claim(store, "changing"), "work")
    renamed = claim(store, "renamed", "h2")
    assert renamed.grant.name == f"run/shop/renamed/{renamed.run_id}"
    work(store, renamed, "work")


def _what_is_cancelled(store: Store) -> int:
    """A run at work, one that waits behind it, and one whose holder dies before it hears of the mark."""
    first, second, third = (store.do(trigger, "shop", "hanging", requested_by="ada") for _ in range(3))
    held = claim(store, "hanging")
    stopped = EndedJob(begin(store, held, "work"), Outcome("stopped"))
    for run_id in (first, second):
        store.do(cancel, run_id, requested_by="ada")
    finished(store.do(hand_back, held, job=stopped))
    dying = claim(store, "hanging", "h2")
    begin(store, dying, "work")
    store.do(cancel, third, requested_by="ada")
    store.go_stale(dying.grant)
    assert [settled.outcome for settled in store.do(settle)] == ["cancelled"]
    return first


# What they are made of


def age(store: Store, definition: Schedule, seconds: float) -> None:
    """Let a schedule have been synced so long ago, and not been planned since."""
    then = (store.do(database_time) - timedelta(seconds=seconds)).replace(microsecond=0)
    state = first_state(definition, then)
    values = {
        "created_at": then,
        "changed_at": then,
        "synced_at": then,
        "anchor": state.anchor,
        "planned_until": state.planned_until,
        "next_due": next(definition.instants(state.planned_until, state.anchor), None),
    }
    write(store, schedule, schedule.c.name == definition.name, **values)


def write(store: Store, table: Table, *where: ColumnElement[bool], **values: object) -> None:
    """Change rows by hand; at least one must be there."""
    changed = store.do(lambda connection: connection.execute(update(table).where(*where).values(**values)).rowcount)
    assert changed


def plan(store: Store, definitions: Sequence[Schedule]) -> None:
    while store.plan(*definitions).more:
        pass


def claim(store: Store, name: str, holder: str = "h1") -> ClaimedRun:
    (claimed,) = store.claim(name, holder=holder, limit=1, ttl=600.0)  # longer than the story takes to be told
    return claimed


def begin(store: Store, claimed: ClaimedRun, job: str, position: int = 0) -> int:
    attempt = claimed.jobs[job].next_attempt if job in claimed.jobs else 1
    number = store.do(start_job, claimed, job, position, attempt)
    assert isinstance(number, int)
    return number


def work(store: Store, claimed: ClaimedRun, *jobs: str) -> None:
    """Let these jobs succeed, and with the last of them the run."""
    *firsts, last = jobs
    for position, job in enumerate(firsts):
        succeed(store, claimed, job, position)
    ended = EndedJob(begin(store, claimed, last, len(firsts)), Outcome("succeeded"))
    finished(store.do(finish_run, claimed, "succeeded", job=ended))


def succeed(store: Store, claimed: ClaimedRun, job: str, position: int = 0) -> None:
    """Let a job succeed that is not the last one."""
    finished(store.do(finish_job, claimed, begin(store, claimed, job, position), Outcome("succeeded")))


def failed(store: Store, claimed: ClaimedRun, job: str, position: int = 0) -> EndedJob:
    return EndedJob(begin(store, claimed, job, position), Outcome("failed", "no", status=1))


def fail(store: Store, claimed: ClaimedRun, job: str, position: int = 0) -> None:
    """Let a job fail for good, and with it the run."""
    finished(store.do(finish_run, claimed, "failed", "no", job=failed(store, claimed, job, position)))


def finish(store: Store, claimed: ClaimedRun) -> None:
    """Let the job that runs succeed, and with it the run."""
    (running,) = (job for job in store.job_runs() if job.run_id == claimed.run_id and job.state == "running")
    ended = EndedJob(running.id, Outcome("succeeded"))
    finished(store.do(finish_run, claimed, "succeeded", job=ended))


def finished(answer: object) -> None:
    assert isinstance(answer, Done)
