"""What must never be in the tables, made by hand: each returns the promise that it breaks, and what must be named."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, delete, insert, text

from daemon.audit import Promise
from daemon.store.tables import job_run, replica, run, schedule
from lease.database.dialects import clock, later, now
from lease.schema import lease
from tests.support.store import Store

from .story import Story, write

Broken = tuple[Promise, str]
HOUR = timedelta(hours=1)
LINE = "run/shop/hourly"


# Instants


def an_instant_lost(store: Store, story: Story) -> Broken:
    lost = _skipped(store)
    _delete(store, lost.id)
    return Promise.INSTANTS, f'no run accounts for "shop/ticks" at {lost.scheduled_for}: that scheduled time is lost'


def a_run_lost_with_its_jobs(store: Store, story: Story) -> Broken:
    lost = story.succeeded[0]
    _delete(store, lost.run_id)
    return Promise.INSTANTS, f'no run accounts for "shop/hourly" at {lost.scheduled_for}: that scheduled time is lost'


def the_one_instant_lost(store: Store, story: Story) -> Broken:
    (lost,) = store.runs(run.c.schedule == "once")
    _delete(store, lost.id)
    return Promise.INSTANTS, f'no run accounts for "shop/once" at {lost.scheduled_for}: that scheduled time is lost'


def an_instant_lost_after_a_change(store: Store, story: Story) -> Broken:
    lost = store.runs(run.c.schedule == "changing", run.c.state == "pending")[-1]
    _delete(store, lost.id)
    return Promise.INSTANTS, f'no run accounts for "shop/changing" at {lost.scheduled_for}: that scheduled time is lost'


def an_instant_doubled(store: Store, story: Story) -> Broken:
    doubled = _skipped(store)
    store.do(lambda connection: connection.execute(text("DROP INDEX run_instant_key")))
    again = _again(store, doubled)
    return Promise.INSTANTS, f'runs {doubled.id} and {again} of "shop/ticks" both account for {doubled.scheduled_for}'


def an_own_row_within_a_counted_one(store: Store, story: Story) -> Broken:
    counted = _counted(store)
    instant = counted.scheduled_for + timedelta(seconds=3)
    again = _again(store, counted, scheduled_for=instant, last_scheduled_for=None, count=1)
    return Promise.INSTANTS, f'runs {counted.id} and {again} of "shop/ticks" both account for {instant}'


def a_counted_row_with_a_wrong_count(store: Store, story: Story) -> Broken:
    counted = _counted(store)
    fewer = counted._mapping["count"] - 1
    write(store, run, run.c.id == counted.id, count=fewer)
    return Promise.INSTANTS, f'run {counted.id} of "shop/ticks" stands for {fewer} scheduled times'


def a_counted_row_that_ends_too_soon(store: Store, story: Story) -> Broken:
    counted = _counted(store)
    second = timedelta(seconds=1)
    last = counted.last_scheduled_for - second
    write(store, run, run.c.id == counted.id, last_scheduled_for=last, count=counted._mapping["count"] - 1)
    return Promise.INSTANTS, f'no run accounts for "shop/ticks" at {counted.last_scheduled_for}'


def a_schedule_moved_on_without_its_runs(store: Store, story: Story) -> Broken:
    row = store.schedules()["hourly"]
    moved = {"planned_until": row.planned_until + HOUR, "next_due": row.next_due + HOUR}
    write(store, schedule, schedule.c.name == "hourly", **moved)
    return Promise.INSTANTS, f'no run accounts for "shop/hourly" at {row.next_due}: that scheduled time is lost'


def a_schedule_due_after_its_next_instant(store: Store, story: Story) -> Broken:
    row = store.schedules()["hourly"]
    write(store, schedule, schedule.c.name == "hourly", next_due=row.next_due + HOUR)
    return Promise.INSTANTS, f"but should be {row.next_due}"


def a_schedule_that_is_never_due_again(store: Store, story: Story) -> Broken:
    write(store, schedule, schedule.c.name == "changing", next_due=None)
    return Promise.INSTANTS, '"shop/changing" is planned until'


# Tokens and grants


def a_token_with_two_holders(store: Store, story: Story) -> Broken:
    first, second = story.succeeded
    token = first.grant.token
    of_it = job_run.c.run_id == second.run_id, job_run.c.token == second.grant.token
    write(store, job_run, *of_it, token=token, holder="thief")
    return Promise.TOKENS, f"lease '{LINE}' was granted under token {token} at "


def a_token_that_goes_down(store: Store, story: Story) -> Broken:
    first, high = story.succeeded[0], story.under_way.grant.token - 1
    of_it = job_run.c.run_id == first.run_id
    long_ago = {"started_at": -7200.0, "finished_at": -7100.0}
    store.shift(job_run, of_it, **long_ago)
    write(store, job_run, of_it, token=high)
    return Promise.TOKENS, f"after token {high}"


def a_lease_set_back(store: Store, story: Story) -> Broken:
    write(store, lease, lease.c.name == "the line", token=1)
    return Promise.TOKENS, "lease 'the line' is at token 1 but was granted under token 3: it was set back"


def a_lease_set_back_and_granted_again(store: Store, story: Story) -> Broken:
    write(store, lease, lease.c.name == "the line", token=1, holder="thief", expires_at=later(clock(), 9.0))
    store.shift(lease, lease.c.name == "the line", granted_at=100.0)
    return Promise.TOKENS, "lease 'the line' was granted under token 1 at "


def a_lease_deleted(store: Store, story: Story) -> Broken:
    store.do(lambda connection: connection.execute(delete(lease).where(lease.c.name == "the line")))
    return Promise.TOKENS, "the row of lease 'the line' is missing"


def work_of_two_grants_at_once(store: Store, story: Story) -> Broken:
    first = story.succeeded[0]
    last = job_run.c.run_id == first.run_id, job_run.c.job == "orders"
    store.shift(job_run, *last, finished_at=100.0)
    return Promise.OVERLAP, f"while token {first.grant.token} was in force until "


# Runs and their jobs


def a_job_that_succeeded_twice(store: Store, story: Story) -> Broken:
    done = story.succeeded[0].run_id
    row = next(one for one in store.job_runs() if one.run_id == done and one.job == "zones")
    store.do(lambda connection: connection.execute(insert(job_run).values(**_values(row, attempt=7))))
    return Promise.EFFECTS, f'job "zones" of run {done} of "shop/hourly" has succeeded 2 times'


def a_success_without_its_job(store: Store, story: Story) -> Broken:
    done = story.succeeded[0].run_id
    write(store, job_run, job_run.c.run_id == done, job_run.c.job == "zones", state="failed")
    return Promise.EFFECTS, f'run {done} of "shop/hourly" has succeeded, but its job "zones" has not'


def a_success_whose_job_was_never_begun(store: Store, story: Story) -> Broken:
    done = story.succeeded[0].run_id
    of_it = job_run.c.run_id == done, job_run.c.job == "orders"
    store.do(lambda connection: connection.execute(delete(job_run).where(*of_it)))
    return Promise.EFFECTS, f'run {done} of "shop/hourly" has succeeded, but its job "orders" has not'


def a_success_without_a_job_that_is_no_longer_defined(store: Store, story: Story) -> Broken:
    (renamed,) = store.runs(run.c.schedule == "renamed", run.c.state == "succeeded")
    begun = next(job for job in store.job_runs() if job.run_id == renamed.id and job.state == "failed")
    write(store, job_run, job_run.c.id == begun.id, job="gone")
    return Promise.EFFECTS, f'run {renamed.id} of "shop/renamed" has succeeded, but its job "gone" has not'


def a_run_over_with_a_running_job(store: Store, story: Story) -> Broken:
    (over,) = store.runs(run.c.schedule == "hourly", run.c.state == "failed")
    of_it = job_run.c.run_id == over.id, job_run.c.state == "failed"
    write(store, job_run, *of_it, state="running", finished_at=None)
    return Promise.FINAL, f'job "zones" of run {over.id} of "shop/hourly" is recorded as running'


def a_run_left_under_a_freed_lease(store: Store, story: Story) -> Broken:
    _attend(store)
    write(store, lease, lease.c.name == LINE, holder=None, expires_at=None)
    store.shift(lease, lease.c.name == LINE, renewed_at=-120.0)
    return (
        Promise.RECOVERY,
        f"run {story.under_way.run_id} is recorded as running under token {story.under_way.grant.token}",
    )


def a_run_left_under_a_stale_lease(store: Store, story: Story) -> Broken:
    _attend(store)
    write(store, lease, lease.c.name == LINE, expires_at=later(clock(), -100.0))
    return Promise.RECOVERY, f"run {story.under_way.run_id} is recorded as running"


def a_run_left_while_another_has_its_lease(store: Store, story: Story) -> Broken:
    _attend(store)
    earlier = {name: later(job_run.c[name], -1000.0) for name in ("started_at", "finished_at")}
    write(store, job_run, **earlier)
    write(store, lease, lease.c.name == LINE, token=lease.c.token + 1, holder="thief", granted_at=later(now(), -100.0))
    return Promise.RECOVERY, f"run {story.under_way.run_id} is recorded as running"


def an_attempt_of_a_job_of_another_definition(store: Store, story: Story) -> Broken:
    done = story.succeeded[0].run_id
    row = next(one for one in store.job_runs() if one.run_id == done and one.job == "zones")
    store.do(lambda connection: connection.execute(insert(job_run).values(**_values(row, job="gone"))))
    return Promise.DEFINITIONS, f'run {done} has attempted job "gone", which its definition does not have'


def a_cancelled_run_that_failed(store: Store, story: Story) -> Broken:
    write(store, run, run.c.id == story.cancelled, state="failed")
    return Promise.CANCELS, f'run {story.cancelled} of "shop/hanging" was marked as cancelled at '


def a_cancelled_run_that_waits(store: Store, story: Story) -> Broken:
    write(store, run, run.c.id == story.cancelled, state="pending", finished_at=None)
    return Promise.CANCELS, "and is pending"


CORRUPTIONS: dict[str, Callable[[Store, Story], Broken]] = {
    name.replace("_", " "): made
    for name, made in list(globals().items())
    if getattr(made, "__annotations__", {}).get("return") is Broken
}
"""All of the above, by their names."""


def _delete(store: Store, run_id: int) -> None:
    """Delete a run with its job runs."""
    store.do(lambda connection: connection.execute(delete(job_run).where(job_run.c.run_id == run_id)))
    store.do(lambda connection: connection.execute(delete(run).where(run.c.id == run_id)))


def _attend(store: Store) -> None:
    """A replica is there to settle what is left."""
    store.shift(replica, seen_at=-1.0)


def _skipped(store: Store) -> Row[Any]:
    return store.runs(run.c.schedule == "ticks", run.c.state == "skipped")[500]


def _counted(store: Store) -> Row[Any]:
    return store.runs(run.c.schedule == "ticks", run.c.count > 1)[0]  # a slow machine skips a few more later


def _again(store: Store, row: Row[Any], **values: object) -> int:
    """Make the same run a second time."""
    made = insert(run).values(**_values(row, **values)).returning(run.c.id)
    number: int = store.do(lambda connection: connection.execute(made).scalar_one())
    return number


def _values(row: Row[Any], **changed: object) -> dict[str, Any]:
    return {name: value for name, value in row._asdict().items() if name != "id"} | changed
