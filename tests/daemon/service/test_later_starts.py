"""A replica at work and what is to start in hours: it waits, whatever is the reason."""

import pytest
from sqlalchemy import select, update

from daemon import Schedules
from daemon.operations.trigger import trigger
from daemon.store.tables import run, schedule
from daemon.store.views.history import read_run
from lease.database.dialects import later, now, seconds_until
from tests.daemon.service.living import living
from tests.support.manual import failing, nothing

pytestmark = [pytest.mark.anyio, pytest.mark.on_both]
HOURS = 2 * 3600.0


def three_ways_to_be_later() -> Schedules:
    """Return a schedule with a jitter of ten years, of which hardly any instant starts within two hours, one whose retry
    waits three hours, and one that is requested for a moment in three hours.
    """
    schedules = Schedules("shop")
    schedules.add("spread", every="1d", jitter="3650d").job(name="work", timeout="1m")(nothing)
    schedules.add("failing", on_request=True).job(name="work", retries=1, backoff="3h", timeout="1m")(failing)
    schedules.add("asked", on_request=True).job(name="work", timeout="1m")(nothing)
    return schedules


async def test_a_replica_pulls_nothing_forward_that_is_meant_to_start_in_hours(database_url: str) -> None:
    async with living(database_url, three_ways_to_be_later()) as replica:
        due = update(schedule).where(schedule.c.name == "spread")
        moved = {
            "anchor": later(now(), -86_401.0),
            "planned_until": later(now(), -10.0),
            "next_due": later(now(), -1.0),
        }
        await replica.do(lambda c: c.execute(due.values(**moved)))
        asked = await replica.do(trigger, "shop", "asked", requested_by="a test", at="3h")
        failed = await replica.trigger("failing")

        async def all_wait() -> bool:
            retried = await replica.counted.database.read(lambda c: read_run(c, failed))
            found = await replica.counted.database.read(lambda c: list(c.execute(select(run.c.id, run.c.schedule))))
            return len(found) == 3 and [job.state for job in retried.jobs] == ["failed"] and retried.state == "pending"

        await replica.sees(all_wait, "each waits for its start")
        for _ in range(2):  # a sign of life, and the tick after it
            replica.replica._check_in.wake()
            replica.rest.wake()
            await replica.at_rest(hearing=False)
        waits = select(run.c.id, run.c.state, seconds_until(run.c.available_at), seconds_until(run.c.place_at))
        rows = await replica.counted.database.read(lambda c: list(c.execute(waits)))
        assert {row.state for row in rows} == {"pending"}
        assert all((row[2] or row[3]) > HOURS for row in rows), rows
        assert asked in {row.id for row in rows}
