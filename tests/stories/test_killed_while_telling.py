"""A replica that is killed between a failure and its message: another one sends it, and no run waited for it."""

import base64
import json

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
