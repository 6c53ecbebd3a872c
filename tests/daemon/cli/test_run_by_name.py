"""The name of a schedule where the number of a run is asked for: which run it stands for, and how it is refused."""

import pytest

from daemon.jobs.reports import Outcome
from daemon.operations.trigger import trigger
from daemon.store.tables import run
from lease.database.dialects import now
from tests.support.completion import EndedJob, finish_run, start_job
from tests.support.store import Store, a_schedule

from .conftest import Leased


@pytest.fixture
def store(store: Store) -> Store:
    """A database with the schedules nightly, weekly, and 2, none of which has a run."""
    store.sync(a_schedule("nightly"), a_schedule("weekly"), a_schedule("2"))
    return store


def requested(store: Store, name: str = "nightly", application: str = "shop") -> None:
    store.do(trigger, application, name, requested_by="ada")


def failed(store: Store, name: str = "nightly") -> None:
    """Let a run begin and fail."""
    requested(store, name)
    (claimed,) = store.claim(name)
    job = store.do(start_job, claimed, "work", 0, 1)
    assert isinstance(job, int)
    store.do(finish_run, claimed, "failed", "work failed", job=EndedJob(job, Outcome("failed", "no")))


def skip_latest(store: Store, run_id: int) -> None:
    skipped = {"state": "skipped", "reason": "overlap", "finished_at": now()}
    store.do(lambda connection: connection.execute(run.update().where(run.c.id == run_id).values(**skipped)))


def test_a_name_stands_for_the_run_that_its_command_can_show_or_try_again(leased: Leased, store: Store) -> None:
    """Of what was skipped there is nothing to print or retry; a former name works as the present one."""
    failed(store)
    requested(store, "weekly")
    requested(store)
    skip_latest(store, 3)
    assert leased("show", "nightly", "--json").document["run_id"] == 3
    logs = leased("logs", "nightly")
    assert logs.err == "run 1 of nightly:\n"
    assert "no output of run 1 of nightly" in logs.out
    assert leased("logs", "nightly", "--json").err == ""
    store.sync(a_schedule("by-night", was=("nightly",)))
    assert "tries run 1 of by-night (shop) again" in leased("retry", "nightly").out


def test_cancel_takes_the_active_run_and_does_not_choose_among_several(leased: Leased, store: Store) -> None:
    failed(store)
    leased("cancel", "nightly").is_refused(1, 'no run of "nightly" is active; the latest is run 1, and it is over')
    requested(store)
    requested(store, "weekly")
    assert "run 2 of nightly (shop) is cancelled" in leased("cancel", "nightly").out
    requested(store)
    requested(store)
    several = leased("cancel", "nightly", "--application", "shop")
    assert several.status == 2
    assert several.err.startswith(
        'leased: several runs of "nightly" are active, the latest are 5, 4; name one by its number, or use'
    )
    assert {row.state for row in store.runs(run.c.id > 3)} == {"pending"}


def test_a_number_is_always_that_of_a_run(leased: Leased, store: Store) -> None:
    """A schedule may be called 2; a mistyped number must not act on it instead."""
    requested(store, "2")
    assert leased("show", "1", "--json").document["schedule"] == "2"
    leased("cancel", "2").is_refused(1, "run 2 does not exist; the newest is 1 (`leased runs` lists them)")


@pytest.mark.parametrize("command", ["show", "logs", "cancel", "retry", "status"])
def test_a_name_that_is_not_there_is_answered_with_the_nearest(leased: Leased, store: Store, command: str) -> None:
    leased(command, "nighly").is_refused(1, 'there is no schedule "nighly"; did you mean "nightly"?')


@pytest.mark.parametrize("command", ["show", "logs", "cancel", "retry", "status"])
def test_a_name_that_several_applications_have_needs_one_of_them(leased: Leased, store: Store, command: str) -> None:
    store.sync(a_schedule("nightly"), application="bank")
    requested(store, application="bank")
    leased(command, "nightly").is_refused(
        2, 'several applications have a schedule "nightly": add --application bank or shop'
    )
    assert leased("show", "nightly", "--application", "bank", "--json").document["application"] == "bank"
    assert leased("show", "1", "--application", "bank").err.startswith("leased: --application goes with the name of a ")


def test_a_schedule_without_a_run_says_so(leased: Leased, store: Store) -> None:
    answer = leased("show", "nightly")
    assert answer.err == 'leased: there is no run of "nightly" yet; `leased trigger nightly` requests one\n'


def test_status_of_one_schedule_leaves_out_the_others_and_their_problems(leased: Leased, store: Store) -> None:
    failed(store, "weekly")
    requested(store, "weekly")
    requested(store)
    whole, one = (leased("status", *name, "--json").document for name in ((), ("nightly",)))
    assert {problem["schedule"] for problem in whole["problems"]} == {None, "weekly"}
    assert {problem["schedule"] for problem in one["problems"]} == {None}
    assert [line["schedule"] for line in one["items"]] == ["nightly"]
    assert ([waiting["run_id"] for waiting in one["waiting"]], one["waiting_count"]) == ([3], 1)
    assert "weekly" not in leased("status", "nightly", "--since", "24h").out
