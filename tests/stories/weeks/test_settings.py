"""Ordinary weeks in which settings are edited: what was checked runs, and nothing else (rule 22)."""

import os
import signal

import pytest
from sqlalchemy import create_engine, make_url, select

from daemon.store import migrations
from daemon.store.tables import replica as replica_table
from daemon.store.tables import run
from tests.support.replicas import ReplicaProcess, Story
from tests.support.waiting import wait_until

from .deploys import assert_no_promise_is_broken

FILE = """
application = "NAME"

[settings]
database_url_file = "URL_FILE"
concurrency = CONCURRENCY
lease_ttl = "6s"
poll = "0.2s"

[schedules.often]
every = "500ms"
jobs = [{ name = "work", command = ["true"] }]
"""


def write(story: Story, *, url: str = "url", concurrency: object = 4, name: str = "shop") -> str:
    """Write FILE; its URL stands in another file."""
    text = FILE.replace("URL_FILE", str(story.folder / url)).replace("CONCURRENCY", str(concurrency))
    return story.write_file("shop.toml", text.replace("NAME", name))


def other_database(story: Story) -> str:
    """Return another database beside that of the story, with tables: a schema, or a file."""
    other = f"{story.url}?schema=other" if story.url.startswith("postgres") else f"{story.url}.other"
    migrations.upgrade(other)
    return other


def with_password(story: Story, password: str) -> str:
    """Give a user of the story's own this password, and return the URL with it."""
    address = make_url(story.url)
    user = f"shop_{address.database}"
    with story.engine.begin() as connection:
        found = connection.exec_driver_sql(f"SELECT FROM pg_roles WHERE rolname = '{user}'").one_or_none()
        how = "CREATE" if found is None else "ALTER"
        connection.exec_driver_sql(f"{how} ROLE {user} LOGIN SUPERUSER PASSWORD '{password}'")
    return address.set(username=user, password=password).render_as_string(hide_password=False)


def runs_in(url: str, application: str = "shop") -> int:
    schema = "other" if "schema=" in url else None
    engine = create_engine(url.partition("?")[0], execution_options={"schema_translate_map": {None: schema}})
    try:
        with engine.connect() as connection:
            return len(connection.execute(select(run.c.id).where(run.c.application == application)).all())
    finally:
        engine.dispose()


def kill_one(story: Story, supervisor: ReplicaProcess) -> None:
    """Kill a replica, and wait until the supervisor starts another one in its place."""
    before = len(supervisor.said(" is process "))
    os.kill(story.living()[0], signal.SIGKILL)
    wait_until(lambda: len(supervisor.said(" is process ")) > before, "another one starts")


def work_goes_on(story: Story, *, replicas: int = 2) -> None:
    wait_until(lambda: len(story.living()) == replicas, "all replicas run")
    before = runs_in(story.url)
    wait_until(lambda: runs_in(story.url) > before + 1, "what is due runs")


@pytest.mark.extended
def test_a_replica_that_restarts_after_an_edit_runs_with_what_was_checked(story: Story) -> None:
    """Edited are the database and another setting; then the password in the URL's file is rotated."""
    other = other_database(story)
    story.write_file("url", with_password(story, "first") if story.url.startswith("postgres") else story.url)
    story.write_file("other-url", other)
    supervisor = story.start_bare(write(story), "--replicas=2")
    work_goes_on(story)
    write(story, url="other-url", concurrency='"wrong"')
    kill_one(story, supervisor)
    work_goes_on(story)
    assert runs_in(other) == 0, "both databases would run every scheduled time"

    if story.url.startswith("postgres"):
        story.write_file("url", with_password(story, "rotated"))
        kill_one(story, supervisor)
        work_goes_on(story)
    story.write_file("url", other)
    kill_one(story, supervisor)
    refusal = "has changed in more than its password since the supervisor checked it"
    wait_until(lambda: refusal in supervisor.output, "it does not start")
    assert f"send SIGHUP to the supervisor (process {supervisor.pid})" in supervisor.output
    work_goes_on(story, replicas=1)
    assert runs_in(other) == 0

    if story.url.startswith("postgres"):
        with_password(story, "first")  # what is left is read with the URL that was checked
    supervisor.send(signal.SIGHUP)
    supervisor.wait_for_line("SIGHUP: no replica was replaced")  # FILE is wrong
    write(story, url="other-url")
    supervisor.send(signal.SIGHUP)
    said = supervisor.wait_for_line("SIGHUP: the database is now ")
    assert (said["level"], "instead of" in said["message"]) == ("warning", True)
    left = supervisor.wait_for_line('SIGHUP: what is left of "shop" in ')["message"]
    assert "none of its schedules run unless other replicas run them" in left
    there = supervisor.wait_for_line('SIGHUP: "shop" has no schedule in ')["message"]
    assert "each starts now without missed runs, pause, history or idempotency keys" in there
    supervisor.wait_for_line("all 2 replicas are replaced")
    wait_until(lambda: runs_in(other) > 1, "what is due runs there")
    before = runs_in(story.url)
    wait_until(lambda: runs_in(other) > 3, "what is due runs there, and only there")
    assert runs_in(story.url) == before
    assert_no_promise_is_broken(story)
    if story.url.startswith("postgres"):
        with story.engine.begin() as connection:
            connection.exec_driver_sql(f"DROP ROLE {make_url(with_password(story, 'last')).username}")


@pytest.mark.extended
def test_sighup_to_another_application_says_what_is_left_of_the_former(story: Story) -> None:
    story.write_file("url", story.url)
    replica = story.start_bare(write(story))
    work_goes_on(story, replicas=1)
    write(story, name="till")
    replica.send(signal.SIGHUP)
    said = replica.wait_for_line('SIGHUP: FILE now defines the application "till" instead of "shop"')
    assert said["level"] == "warning"
    left = replica.wait_for_line('SIGHUP: what is left of "shop" in ')["message"]
    assert left.endswith("To end it, use `leased retire --application shop`.")
    assert '"till" has no schedule in' in replica.wait_for_line('SIGHUP: "till" has')["message"]
    wait_until(lambda: runs_in(story.url, "till") > 1, "the new one runs what is due")
    before = runs_in(story.url)
    wait_until(lambda: runs_in(story.url, "till") > 3, "and goes on")
    assert runs_in(story.url) == before
    stopped = select(replica_table.c.pid).where(
        replica_table.c.application == "shop", replica_table.c.state == "stopped"
    )
    assert [pid for (pid,) in story.rows(stopped)] == [replica.pid]
    assert_no_promise_is_broken(story)
