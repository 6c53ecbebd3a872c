"""A replica that is killed between a failure and its message or ping: another one sends it, and no run waited for it."""

import base64
import json
from pathlib import Path

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook

from daemon.store.tables import delivery
from lease.database.dialects import later, now
from tests.support.receiver import Receiver
from tests.support.replicas import Story
from tests.support.waiting import wait_until

pytestmark = pytest.mark.extended

SECRET = base64.b64encode(b"0123456789abcdef01234567").decode()
FILE = """
application = "telling"
[defaults]
notify = {{ url = "{url}", secret_env = "OPS_SECRET", on = ["run.failed", "schedule.recovered"] }}
[schedules.broken]
on_request = true
jobs = [{{ name = "work", command = "exit 3" }}]
[schedules.other]
on_request = true
jobs = [{{ name = "work", command = "true" }}]
"""

PINGED = """
application = "pinging"
[schedules.broken]
on_request = true
ping = {{ url = "{url}", style = "healthchecks" }}
jobs = [{{ name = "work", command = "until [ -e {may_fail} ]; do sleep 0.05; done; exit 3" }}]
"""


def test_a_message_outlives_the_replica_that_wrote_it_and_no_run_waits_for_its_target(story: Story) -> None:
    with Receiver() as receiver:
        receiver.may_answer.clear()  # it takes the request, and says nothing
        file = story.write_file("telling.toml", FILE.format(url=receiver.url))
        doomed = story.start(file, environment={"OPS_SECRET": SECRET})
        story.up()
        story.trigger("broken")
        story.over("broken")
        wait_until(lambda: receiver.requests, "the message is on its way")
        story.trigger("other")
        assert story.over("other").state == "succeeded", "while the target is silent"
        doomed.kill()
        assert [row.outcome for row in story.rows(select(delivery.c.outcome))] == [None]
        receiver.may_answer.set()
        story.write(update(delivery).values(available_at=later(now(), -1.0)))  # the time for which it was lent passes
        story.start(file, environment={"OPS_SECRET": SECRET})
        wait_until(
            lambda: [row.outcome for row in story.rows(select(delivery.c.outcome))] == ["delivered"], "it is delivered"
        )
        first, *again = (Webhook(SECRET).verify(one.body, dict(one.headers)) for one in receiver.requests)
    assert again
    assert {one["data"]["run_id"] for one in (first, *again)} == {story.over("broken").id}
    assert len({request.headers["Webhook-Id"] for request in receiver.requests}) == 1
    assert json.dumps(first).count(SECRET) == 0


def test_a_ping_outlives_the_replica_that_wrote_it_and_no_run_waits_for_its_target(
    story: Story, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        receiver.may_answer.clear()
        may_fail = tmp_path / "may-fail"  # the ping of a start is dropped once the run is over
        file = story.write_file("pinging.toml", PINGED.format(url=receiver.url, may_fail=may_fail))
        doomed = story.start(file)
        story.up()
        story.trigger("broken")
        wait_until(lambda: receiver.requests, "the first ping is on its way")
        may_fail.touch()
        assert story.over("broken").state == "failed", "while the target is silent"
        doomed.kill()
        assert [row.kind for row in story.rows(select(delivery).order_by(delivery.c.id))] == ["ping.start", "ping.fail"]
        receiver.may_answer.set()
        story.write(update(delivery).values(available_at=later(now(), -1.0)))  # the time for which it was lent passes
        story.start(file)
        waiting = select(delivery).where(delivery.c.done_at.is_(None))
        wait_until(lambda: not story.rows(waiting), "it is delivered, and nothing is left to send")
    last = receiver.requests[-1].path
    assert "/fail?rid=" in last
    assert len({one.path.partition("?")[2] for one in receiver.requests}) == 1, "of one run"
