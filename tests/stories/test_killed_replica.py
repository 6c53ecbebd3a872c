"""A replica that is killed in the middle of a job: its work is gone at once, and another resumes at that job (rules 16, 18, 20)."""

from datetime import datetime

from sqlalchemy import select, update

from daemon.store.tables import job_output
from daemon.store.tables import replica as replicas
from lease.schema import lease
from tests.support.replicas import Event, Story
from tests.support.starvation import Starvation, boottime_of
from tests.support.telling import boottime, is_alive
from tests.support.waiting import wait_until

TTL = 3.0


def killed_in_job_three(story: Story, *, provable: bool) -> tuple[float, Event]:
    """When it was killed, on the clock since boot, and what job three had told."""
    story.start("four.py", "--now=nightly", ttl=f"{TTL}s")
    story.start("four.py", ttl=f"{TTL}s")
    story.up()
    began = story.event("began", job="third")
    doomed = story.holder_of(began["run"])
    if not provable:
        assert story.write(update(replicas).where(replicas.c.pid == doomed.pid).values(pid_namespace="pid:[1]")) == 1
    story.open("quick")
    killed = boottime()
    doomed.kill()
    return killed, began


def gone(began: Event) -> float:
    """When the processes of job three were gone: the child, its grandchild, and the one in a session of its own."""
    processes = (began["pid"], began["plain"], began["apart"])
    wait_until(lambda: not any(map(is_alive, processes)), "the job's processes are gone")
    return boottime()


def resumed(story: Story) -> datetime:
    """When job three was begun again, once the run is over: at job three, under a higher token (rule 16)."""
    run = story.over("nightly")
    assert (run.state, run.attempt) == ("succeeded", 2)
    assert [(one["job"], one["attempt"], one["token"]) for one in story.events("began")] == [
        ("first", 1, 1),
        ("second", 1, 1),
        ("third", 1, 1),
        ("third", 2, 2),
        ("fourth", 1, 2),
    ]
    assert [one["job"] for one in story.events("ended")] == ["first", "second", "third", "fourth"]
    (again,) = [one for one in story.job_runs("nightly") if (one.job, one.attempt) == ("third", 2)]
    started_at: datetime = again.started_at
    return started_at


def assert_show_tells_both_attempts(story: Story, run_id: int) -> None:
    shown = story.shown(run_id)
    assert (shown["schema"], shown["state"], shown["attempt"], shown["token"]) == (
        "leased/show/2",
        "succeeded",
        2,
        2,
    )
    first, second = (job for job in shown["items"] if job["job"] == "third")
    assert (first["attempt"], first["state"], first["token"]) == (1, "abandoned", 1)
    assert (second["attempt"], second["state"], second["token"]) == (2, "succeeded", 2)
    assert first["holder"] != second["holder"] == shown["holder"]
    assert first["finished_at"] is not None


def test_after_kill_9_its_work_is_gone_and_another_resumes_at_job_3_within_2_seconds(
    story: Story, starvation: Starvation
) -> None:
    """The death is proven here: the same machine, the same pid namespace (rule 18)."""
    killed, began = killed_in_job_three(story, provable=True)
    gone_at, resumed_at = gone(began), boottime_of(resumed(story))
    starvation.assert_within(1.0, killed, gone_at, "its processes are gone")
    starvation.assert_within(2.0, killed, resumed_at, "job 3 is begun again")
    assert_show_tells_both_attempts(story, began["run"])


PRINTING = """
application = "printing"
[schedules.printing]
cron = "0 3 1 1 *"
jobs = [{ name = "work", command = "seq 3; printf half; sleep 3600" }]
"""


def test_what_a_job_had_printed_is_there_after_its_replica_was_killed(story: Story) -> None:
    """The lines; and each is in the replica's own log too, where that is asked for."""
    file = story.write_file("printing.toml", PRINTING)
    doomed = story.start(file, "--now=printing", "--job-output=log", ttl=f"{TTL}s")
    wait_until(lambda: story.rows(select(job_output.c.text)), "what it printed is saved")
    (first,) = story.told("logs", "1")["items"]
    assert (first["text"], first["cut_lines"]) == ("1\n2\n3\n", 0)
    doomed.kill()
    lines = [
        (line["run"], line["schedule"], line["job"], line["attempt"], line["line"]) for line in doomed.said("output")
    ]
    assert lines == [(1, "printing", "work", 1, str(number)) for number in (1, 2, 3)]
    story.start(file, ttl=f"{TTL}s")
    wait_until(lambda: ("work", 1, "abandoned") in story.attempts(), "another has settled it")
    assert story.told("logs", "1", "--attempt=1")["items"] == [first]
    assert story.shown(1)["items"][0]["log_tail"] == first["text"]


def test_a_replica_that_was_killed_is_shown_as_dead_at_once_and_recorded_by_its_neighbour(story: Story) -> None:
    """It was idle, so that no run of it had to be settled."""
    doomed = story.start("gated.py", ttl="60s")
    story.up(doomed)
    doomed.kill()
    assert [one["state"] for one in story.told("status")["replicas"]] == ["dead"]
    assert [one["state"] for one in story.told("replicas")["items"]] == ["dead"]
    assert story.replica_state(doomed) == "running", "nobody has recorded it yet"
    neighbour = story.start("gated.py", ttl="60s")
    wait_until(lambda: story.replica_state(doomed) == "dead", "its neighbour has recorded it")
    states = {one["pid"]: one["state"] for one in story.told("status")["replicas"]}
    assert states == {doomed.pid: "dead", neighbour.pid: "running"}


def test_where_death_cannot_be_proven_another_resumes_at_job_3_within_the_ttl_and_a_second(
    story: Story, starvation: Starvation
) -> None:
    killed, began = killed_in_job_three(story, provable=False)
    ((renewed_at,),) = story.rows(select(lease.c.renewed_at).where(lease.c.token == began["token"]))
    gone_at, started_at = gone(began), resumed(story)
    assert (started_at - renewed_at).total_seconds() >= TTL, "its lease was not stale yet"
    resumed_at = boottime_of(started_at)
    starvation.assert_within(1.0, killed, gone_at, "its processes are gone")
    starvation.assert_within(TTL + 1, killed, resumed_at, "job 3 is begun again")
    assert_show_tells_both_attempts(story, began["run"])
