"""The audit of real tables: nothing is found where the daemon's own code made the history, and each corruption is; and
`leased audit`, as people and programs use it.
"""

import json
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete
from sqlalchemy.engine import make_url

from daemon.audit import Promise, check
from daemon.cli import main
from daemon.cli.ask import ask_url
from daemon.operations.trigger import trigger
from daemon.store import statements
from daemon.store.tables import job_run, replica, run, schedule
from tests.support.databases import KINDS, Server, ensure_template, fresh_database
from tests.support.starter import ROOT
from tests.support.store import Store, a_schedule

from .corruptions import CORRUPTIONS
from .story import FIRST, HOURLY, RENAMED, TICKS, Story, age, audit, claim, finish, make, plan, tell, work, write

Made = tuple[str, Story]


@pytest.fixture(scope="module")
def sqlite_story(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    path = tmp_path_factory.mktemp("story") / "leased.db"
    shutil.copy(sqlite_template, path)
    with Store(f"sqlite:///{path}") as store:
        return str(path), make(store)


@pytest.fixture(scope="module")
def postgres_story(postgres_server: Server) -> Iterator[Made]:
    with fresh_database(postgres_server, ensure_template(postgres_server)) as url:
        with Store(url) as store:
            told = make(store)
        yield str(make_url(url).database), told


@pytest.fixture(params=KINDS)
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Made]:
    """A copy of a database in which the story was told, and the story."""
    template, story = request.getfixturevalue(f"{request.param}_story")
    if request.param == "sqlite":
        shutil.copy(template, tmp_path / "leased.db")
        yield f"sqlite:///{tmp_path / 'leased.db'}", story
        return
    with fresh_database(request.getfixturevalue("postgres_server"), template) as url:
        yield url, story


def test_an_empty_database_keeps_every_promise(database_url: str) -> None:
    assert audit(database_url) == []


def test_what_the_daemon_itself_made_keeps_every_promise(told: Made) -> None:
    url, _ = told
    assert [str(violation) for violation in audit(url)] == []
    found = tell(url)
    assert found.remarks == ()
    assert found.schedules == len(FIRST)
    with Store(url) as store:
        assert found.runs == len(store.runs())
    assert found.instants > 1200
    assert found.grants > 10


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_what_must_never_be_in_the_tables_is_named(told: Made, corruption: str) -> None:
    url, story = told
    with Store(url) as store:
        promise, named = CORRUPTIONS[corruption](store, story)
    found = audit(url)
    assert {violation.promise for violation in found} == {promise}
    assert any(named in violation.what for violation in found), [str(violation) for violation in found]


def test_a_history_on_which_others_work_meanwhile_is_read_as_of_one_moment(told: Made) -> None:
    url, story = told
    with Store(url) as store:

        def read(connection: Connection) -> tuple[list[Any], ...]:
            with statements.audit.snapshot(connection):
                runs = statements.audit.runs(connection, None)
                finish(store, story.under_way)
                return runs, statements.audit.runs(connection, None), statements.audit.job_runs(connection, None)

        before, after, jobs = ask_url(url, read)
        assert before == after
        assert len(jobs) == len(store.job_runs())
        assert "running" in {job.state for job in jobs if job.run_id == story.under_way.run_id}
        assert store.run(story.under_way.run_id).state == "succeeded"
    assert audit(url) == []


def test_only_one_application_is_looked_at_when_one_is_named(told: Made) -> None:
    url, story = told
    with Store(url) as store:
        store.sync(HOURLY, application="bank")
        CORRUPTIONS["a job that succeeded twice"](store, story)
    assert [violation.promise for violation in audit(url)] == [Promise.EFFECTS]
    assert audit(url, "bank") == []
    found = tell(url, "bank")
    assert (found.schedules, found.runs, found.grants, found.since) == (1, 0, 0, None)
    assert tell(url).schedules == len(FIRST) + 1


def test_the_same_name_in_two_applications_is_two_schedules(store: Store, database_url: str) -> None:
    for application in ("shop", "bank"):
        store.sync(HOURLY, application=application)
    age(store, HOURLY, 5.5 * 3600)
    for application in ("shop", "bank"):
        store.plan(HOURLY, application=application)
    assert audit(database_url) == []
    assert tell(database_url).instants == 10


def test_an_attempt_after_the_end_of_a_cancelled_run_is_named_where_nobody_sets_the_clock(told: Made) -> None:
    url, story = told
    with Store(url) as store:
        store.shift(job_run, job_run.c.run_id == story.cancelled, started_at=3600.0, finished_at=3601.0)
        named = f'run {story.cancelled} of "shop/hanging" ended as cancelled at '
        assert any(named in violation.what for violation in audit(url)) == (not store.sqlite)


def test_what_could_not_be_compared_is_told(told: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    url, _ = told
    monkeypatch.setattr("daemon.audit.history.MOST_INSTANTS", 100)
    with Store(url) as store:
        write(store, schedule, schedule.c.name == "paused", definition='{"name": "paused", "moon": "full"}')
    found = tell(url)
    assert check(found.facts) == []
    unreadable, capped = found.remarks
    assert capped == 'only the latest 100 scheduled times of "shop/ticks" were compared'
    assert unreadable.startswith('the scheduled times of "shop/paused" were not compared: ')


def test_of_the_latest_instants_one_that_is_lost_is_named_although_those_before_were_left_out(
    told: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = told
    monkeypatch.setattr("daemon.audit.history.MOST_INSTANTS", 10)
    with Store(url) as store:
        lost = store.runs(run.c.schedule == "ticks")[-2]
        store.do(lambda connection: connection.execute(delete(run).where(run.c.id == lost.id)))
    found = audit(url)
    assert [violation.promise for violation in found] == [Promise.INSTANTS]


def test_a_run_does_what_the_definition_has_by_which_it_goes_and_no_other(store: Store, database_url: str) -> None:
    """Rule 22: also where a newer one has come meanwhile, or a replica with an older file has claimed it."""
    newer = RENAMED.model_copy(update={"jobs": (*RENAMED.jobs, *a_schedule(jobs=("more",)).jobs)})
    store.sync(RENAMED)
    store.do(trigger, "shop", "renamed", requested_by="ada")
    older = claim(store, "renamed")
    store.sync(newer)
    work(store, older, "work")
    assert audit(database_url) == []
    store.do(trigger, "shop", "renamed", requested_by="ada")
    work(store, claim(store, "renamed"), "work")
    (violation,) = audit(database_url)
    assert 'of "shop/renamed" has succeeded, but its job "more" has not' in violation.what


def test_a_planning_while_a_sync_reads_the_time_loses_nothing(store: Store, database_url: str) -> None:
    """It accounts, by the old definition, for what is between that time and its own."""
    store.sync(TICKS)
    age(store, TICKS, 30.5)
    plan(store, [TICKS])
    store.sync(TICKS.model_copy(update={"every": 0.7}))
    ten_before = store.schedules()["ticks"].anchor - timedelta(seconds=7)
    write(store, schedule, schedule.c.name == "ticks", anchor=ten_before)
    assert audit(database_url) == []


def test_a_run_whose_holder_is_gone_is_left_alone_while_no_replica_is_there_to_settle_it(told: Made) -> None:
    url, story = told
    with Store(url) as store:
        assert CORRUPTIONS["a run left under a stale lease"](store, story)
        write(store, replica, state="stopped")
        assert audit(url) == []
        write(store, replica, state="running")
        store.shift(replica, started_at=-20.0)
        assert audit(url) == []


def test_the_page_has_the_number_of_corruptions() -> None:
    page = (ROOT / "docs" / "internals" / "evidence.md").read_text()
    assert f"| corruptions made by hand, for `leased audit` | {len(CORRUPTIONS)} on each database |" in page


@pytest.fixture
def database(sqlite_story: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The database of the story in the current folder, where the command looks by itself."""
    shutil.copy(sqlite_story[0], tmp_path / "leased.db")
    monkeypatch.delenv("LEASED_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return Store("sqlite:///leased.db")


@pytest.fixture
def story(sqlite_story: Made, database: Store) -> Story:
    return sqlite_story[1]


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_clean_history_is_one_line_and_status_0(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"no violations found in [0-9,]+ runs since .*Z \(13 schedules, [0-9,]+ scheduled times, [0-9,]+ grants\)", line
    )


def test_a_violation_is_one_line_and_status_1(
    database: Store, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    promise, named = CORRUPTIONS["a lease set back"](database, story)
    assert main(["audit"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("1 violation found in ")
    assert second == f"{promise}: {named}"


def test_of_many_violations_the_first_are_shown_and_the_others_counted(
    database: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    write(database, run, run.c.schedule == "ticks", run.c.state == "skipped", trigger="manual")
    assert main(["audit"]) == 1
    first, *shown, last = capsys.readouterr().out.splitlines()
    count = int(first.partition(" violations found in ")[0].replace(",", ""))
    assert len(shown) == 100
    assert all(line.startswith('instants: no run accounts for "shop/ticks" at ') for line in shown)
    assert last == f"and {count - 100:,} more; --json has them all"
    assert main(["audit", "--json"]) == 1
    assert len(document(capsys)["items"]) == count


def test_json_has_the_counts_and_where_to_look(
    database: Store, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "--json"]) == 0
    clean = document(capsys)
    assert clean["schema"] == "leased/audit/1"
    assert (clean["ok"], clean["items"], clean["remarks"], clean["schedules"]) == (True, [], [], 13)
    assert min(clean["runs"], clean["instants"], clean["grants"]) > 10
    CORRUPTIONS["a job that succeeded twice"](database, story)
    CORRUPTIONS["a lease set back"](database, story)
    assert main(["audit", "--json"]) == 1
    found = document(capsys)
    token, job = found["items"]
    done = story.succeeded[0].run_id
    assert (found["ok"], token["promise"], token["leases"]) == (False, "tokens", ["the line"])
    assert job == {
        "promise": "effects",
        "what": f'job "zones" of run {done} of "shop/hourly" has succeeded 2 times',
        "schedules": ["shop/hourly"],
        "runs": [done],
        "leases": [],
    }


def test_one_application_can_be_named(database: Store, story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    CORRUPTIONS["a lease deleted"](database, story)
    assert main(["audit", "--application", "shop"]) == 1
    capsys.readouterr()
    database.sync(a_schedule(), application="bank")
    assert main(["audit", "--application", "bank"]) == 0
    assert capsys.readouterr().out == "no violations found in 0 runs (1 schedule, 0 scheduled times, 0 grants)\n"
    assert main(["audit", "--application", "bakn"]) == 1
    assert 'did you mean "bank"?' in capsys.readouterr().err
