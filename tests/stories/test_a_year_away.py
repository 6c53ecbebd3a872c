"""A replica that comes back after a year: what it missed is counted beside its work, and it shows that it lives (rule 13)."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from daemon.store.tables import replica, run, schedule
from lease.database.dialects import later, now
from tests.support.replicas import Story
from tests.support.starvation import Starvation, boottime_of
from tests.support.waiting import wait_until

YEAR = timedelta(days=365).total_seconds()
MINUTES = 525_600


@pytest.mark.extended
def test_after_a_year_the_first_run_starts_within_two_seconds_and_it_is_alive_throughout(
    story: Story, starvation: Starvation
) -> None:
    if not story.url.startswith("sqlite"):
        assert story.leased("db", "upgrade").wait() == 0
    assert story.leased("sync", story.file("behind.py")).wait() == 0
    away = {"planned_until": later(now(), -YEAR), "anchor": later(now(), -YEAR), "next_due": later(now(), -YEAR + 60)}
    assert story.write(update(schedule).values(**away)) == 12
    back = story.start("behind.py", web=True)
    planned = select(func.count()).where(schedule.c.next_due > now())

    def caught_up() -> bool:
        back.livez()
        return story.rows(planned) == [(12,)]

    wait_until(caught_up, "all that was missed is planned")
    ((ready,),) = story.rows(select(replica.c.ready_at))
    ((started,),) = story.rows(
        select(run.c.started_at).where(run.c.started_at.is_not(None)).order_by(run.c.started_at).limit(1)
    )
    starvation.assert_within(2.0, boottime_of(ready), boottime_of(started), "a run starts")
    counts = [
        row.instants for row in story.rows(select(func.sum(run.c["count"]).label("instants")).group_by(run.c.schedule))
    ]
    assert len(counts) == 12
    assert all(MINUTES <= instants <= MINUTES + 3 for instants in counts), counts
