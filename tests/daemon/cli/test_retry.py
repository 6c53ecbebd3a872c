"""`leased retry`, and `leased cancel` of many runs, on real runs on SQLite: what they say, show and ask."""

from pathlib import Path
from typing import Any

import pytest

from daemon.cli.ask import ask
from daemon.cli.commands.acting import runs
from daemon.operations import cancel
from lease.errors import StoreUnavailable

from .conftest import Leased

pytestmark = pytest.mark.usefixtures("processes")


_FAILED: list[bytes] = []
"""The database with such a run, once a test has made it."""


@pytest.fixture
def failed(leased: Leased, folder: Path) -> int:
    """Return a run whose second job has failed; nothing stands in its way any more."""
    if _FAILED:
        (folder / "leased.db").write_bytes(_FAILED[0])
        return 1
    (folder / "broken").touch()
    assert leased("run", "shop.py", "--now", "nightly", "--until-idle", "--no-web").status == 1
    (folder / "broken").unlink()
    _FAILED.append((folder / "leased.db").read_bytes())
    return 1


def test_a_retry_does_what_is_left_and_both_runs_say_so(leased: Leased, failed: int) -> None:
    said = leased("retry", str(failed), "--by", "bob", "--why", "the file is there")
    assert (said.status, said.err) == (0, "")
    assert said.out == (
        "run 2 tries run 1 of nightly (shop) again: it runs orders; already done and kept: zones; "
        "it waits for a replica\n"
    )
    again = leased("retry", "1")
    assert again.status == 0
    assert (
        "run 1 of nightly (shop) was already retried by bob: the file is there, as run 2; that one is pending"
        in again.out
    )
    assert leased("run", "shop.py", "--until-idle", "--no-web").status == 0
    shown = leased("show", "2").out
    assert "retry of run 1" in shown
    assert "succeeded in run 1" in shown
    assert "as run 2" in leased("show", "1").out
    listed = leased("runs").out
    assert "retry of run 1" in listed
    assert "retried as run 2" in listed
    document = leased("show", "2", "--json").document
    assert (document["cause"], document["retry_of"], document["state"]) == ("retry", 1, "succeeded")
    leased("retry", "1").is_refused(
        1, "run 1 was retried as run 2 (succeeded): to run its jobs once more, retry that one with --from JOB"
    )
    assert leased("audit").status == 0


def test_a_retry_that_is_asked_for_wrongly_is_one_sentence(leased: Leased, failed: int) -> None:
    leased("retry", "4711").is_refused(1, "run 4711 does not exist; the newest is 1 (`leased runs` lists them)")
    leased("retry", "1", "--from", "ordres").is_refused(1, '"nightly" has no job "ordres"; did you mean "orders"?')
    assert len(leased("runs", "--json").document["items"]) == 1


@pytest.fixture
def waiting(leased: Leased, folder: Path) -> int:
    """Return how many runs wait."""
    leased("sync", "shop.py")
    for _ in range(3):
        leased("trigger", "nightly")
    return 3


def states(leased: Leased) -> set[str]:
    return {item["state"] for item in leased("runs", "--json").document["items"]}


@pytest.mark.usefixtures("waiting")
def test_runs_of_a_retired_schedule_of_that_name_are_meant_in_any_application(leased: Leased, folder: Path) -> None:
    shop = (folder / "shop.py").read_text()
    (folder / "bank.py").write_text(shop.replace('"shop"', '"bank"'))
    leased("sync", "bank.py")
    leased("trigger", "nightly", "--application", "bank")
    assert leased("cancel", "--schedule", "nightly", "--dry-run").err == (
        'leased: several applications have a schedule "nightly": add --application bank or shop\n'
    )
    (folder / "bank.py").write_text(shop.replace('"shop"', '"bank"').replace("nightly", "weekly"))
    leased("sync", "bank.py")
    assert "4 runs would be cancelled" in leased("cancel", "--schedule", "nightly", "--dry-run").out


def test_many_are_cancelled_with_who_and_why(leased: Leased, waiting: int) -> None:
    done = leased("cancel", "--schedule", "nightly", "--yes", "--why", "wrong file", "--by", "bob")
    assert (done.status, done.out.splitlines()[-1]) == (0, "3 waiting runs ended")
    assert {item["reason"] for item in leased("runs", "--json").document["items"]} == {"cancelled by bob: wrong file"}
    again = leased("cancel", "--schedule", "nightly", "--yes")
    assert (again.status, again.out) == (0, "there is nothing to cancel: all of these runs have finished\n")


def test_many_are_done_in_parts_and_it_says_how_far_it_is(
    leased: Leased, waiting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancel, "MOST_AT_ONCE", 2)
    done = leased("cancel", "--schedule", "nightly", "--yes")
    assert (done.status, done.out.splitlines()[-1]) == (0, "3 waiting runs ended")
    assert done.err == "2 of 3 runs\n3 of 3 runs\n"


def test_what_is_left_when_it_ends_before_its_time_the_same_command_does(
    leased: Leased, waiting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(cancel, "MOST_AT_ONCE", 1)
        asked = iter([False, False, False, True])  # what there is, and two parts

        def is_away(*given: Any, **named: Any) -> Any:
            if next(asked):
                raise StoreUnavailable("the database is away")
            return ask(*given, **named)

        patch.setattr(runs, "ask", is_away)
        stopped = leased("cancel", "--schedule", "nightly", "--yes")
    assert stopped.status == 1
    assert stopped.err.splitlines()[-2:] == [
        "stopped after 2 of 3 runs; run the same command again for the rest",
        "leased: the database is away",
    ]
    assert leased("cancel", "--schedule", "nightly", "--yes").out.splitlines()[-1] == "1 waiting run ended"


def test_all_that_failed_are_retried_and_told(leased: Leased, failed: int) -> None:
    assert "1 run that failed would be retried; nothing was done" in leased("retry", "--failed", "--dry-run").out
    done = leased("retry", "--failed", "--schedule", "nightly", "--yes", "--why", "the file is there")
    assert (done.status, done.out.splitlines()[-1]) == (0, "1 run retried, as run 2")
    again = leased("retry", "--failed", "--yes")
    assert (again.status, again.out) == (
        0,
        "there is nothing to retry: every run that failed in that time has been retried\n",
    )
    assert leased("run", "shop.py", "--until-idle", "--no-web").status == 0
    assert leased("audit").status == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cancel",), "say which runs: give the number of one run"),
        (("cancel", "1", "--tag", "x"), "--tag selects many runs"),
        (("retry",), "say which run: give its number, or use --failed"),
        (("retry", "--from", "orders", "--failed"), "--from needs the number of one run"),
        (("retry", "1", "--failed"), "--failed selects many runs"),
        (("retry", "--failed", "--since", "yesterdy"), '--since: "yesterdy" is not a time'),
        (("retry", "--failed", "--since", "0"), '--since "0" is not between'),
        (("retry", "--failed", "--since", "9" * 400), "--since: "),
    ],
)
def test_many_runs_that_are_asked_for_wrongly_are_one_sentence(
    leased: Leased, waiting: int, arguments: tuple[str, ...], said: str
) -> None:
    leased(*arguments).is_one_sentence(2, said)
    assert states(leased) == {"pending"}
