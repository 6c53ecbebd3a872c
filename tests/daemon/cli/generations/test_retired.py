"""What a deploy, or the end of an application, retires, as the commands tell it."""

import dataclasses
import json

import pytest

from daemon.store.tables import replica as replicas
from daemon.store.tables import schedule as schedules

from ..conftest import Leased
from .conftest import A_DAY, AN_HOUR, Shop, numbers, problems_of


def test_a_sync_of_another_file_under_the_same_name_is_refused_and_a_dry_run_shows_it_first(
    leased: Leased, shop: Shop
) -> None:
    shop.start(shop.old, "web1")
    for options in ((), ("--dry-run",)):
        answer = leased("sync", "other.py", *options)
        assert answer.status == 2
        assert (
            "would retire all that 1 replica on web1 runs: goes, stays. If they are another application" in answer.err
        )
        assert ("retired   goes" in answer.out) == bool(options)
        assert answer.out.startswith("shop, generation 2 would be refused\n" if options else "")
    answer = leased("sync", "other.py", "--dry-run", "--json")
    assert {one["schedule"] for one in answer.document["items"] if one["change"] == "retired"} == {"goes", "stays"}
    assert json.loads(answer.err)["error"]["kind"] == "definition"
    assert numbers(leased) == [1]


def test_a_take_over_lets_it_through_with_a_warning_and_is_an_act(leased: Leased, shop: Shop) -> None:
    shop.start(shop.old, "web1")
    leased("sync", "other.py", "--why", "a new team").is_refused(
        2, "--why needs --take-over; add that, or leave out --why"
    )
    answer = leased("sync", "other.py", "--take-over", "--why", "a new team", "--by", "ann")
    retired = "generation 2 shares no schedule with generation 1, and retired all of its schedules: goes, stays"
    warning = f"{retired}; if this is intended, acknowledge it with `leased generations 2 --acknowledge`"
    assert (answer.status, answer.err) == (0, f"leased: {warning}\n")
    (act,) = leased("activity", "--act", "take-over", "--json").document["items"]
    assert (act["acted_by"], act["why"], act["effect"]) == ("ann", "a new team", f"generation 2 is active; {retired}")


def test_a_generation_that_kept_nothing_is_a_problem_until_it_is_acknowledged_also_when_the_old_ones_have_gone(
    leased: Leased, shop: Shop
) -> None:
    shop.unseen_for(shop.start(shop.old, "web1"), AN_HOUR)
    shop.start(shop.other, "web2")
    ((kind, text),) = problems_of(leased)
    assert kind == "replaced"
    assert (
        "generation 2 of shop (web2:102) shares no schedule with generation 1, and retired all of its schedules: goes, "
        in text
    )
    assert "`leased generations 2 --acknowledge`" in text
    assert leased("status", "--check").status == 1
    shop.store.shift(schedules, schedules.c.retired_at.is_not(None), retired_at=-6.9 * A_DAY)
    assert len(problems_of(leased)) == 1
    shop.store.shift(schedules, schedules.c.retired_at.is_not(None), retired_at=-7.1 * A_DAY)
    assert problems_of(leased) == []
    shop.store.shift(schedules, schedules.c.retired_at.is_not(None), retired_at=-AN_HOUR)

    answer = leased("generations", "2", "--acknowledge", "--why", "billing has moved in", "--by", "ann")
    assert answer.out.startswith("generation 2 of shop is acknowledged by ann at ")
    assert (problems_of(leased), leased("status", "--check").status) == ([], 0)
    again = leased("generations", "2", "--acknowledge", "--by", "bob")
    assert again.out.startswith("generation 2 of shop was already acknowledged by ann at ")
    (act,) = leased("activity", "--act", "acknowledge", "--json").document["items"]
    assert (act["acted_by"], act["why"]) == ("ann", "billing has moved in")
    assert act["effect"] == "generation 2 replaces all schedules of generation 1"
    (one,) = leased("generations", "2", "--json").document["items"]
    assert (one["replaced"], one["acknowledged_by"], one["replaced_schedules"]) == (1, "ann", [])


def test_it_is_no_problem_any_more_when_those_schedules_are_defined_again(leased: Leased, shop: Shop) -> None:
    shop.unseen_for(shop.start(shop.old, "web1"), AN_HOUR)
    shop.unseen_for(shop.start(shop.other, "web2"), AN_HOUR)
    leased("sync", "old.py", "--take-over")
    ((_, text),) = (one for one in problems_of(leased) if one[0] == "replaced")
    assert "generation 3 of shop" in text
    assert "shares no schedule with generation 2" in text


@pytest.fixture
def deployed(shop: Shop) -> None:
    shop.start(shop.old, "web1")
    shop.start(shop.new, "web2")


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("2", "--acknowledge"), 'there is nothing to acknowledge: generation 2 of "shop" did not retire all'),
        (("7", "--acknowledge"), '"shop" has no generation 7; the newest is 2 (`leased generations` lists them)'),
        (("--acknowledge",), "--acknowledge needs the number of a generation, such as"),
        (("2", "--why", "so"), "--why and --by need --acknowledge; add that, or leave them out"),
        ((str(2**63), "--acknowledge"), f"write {2**63 - 1} or less"),
        (("7",), "there is no generation 7; the newest is 2 (`leased generations` lists them)"),
    ],
)
def test_what_cannot_be_acknowledged_is_refused_with_a_sentence(
    leased: Leased, arguments: tuple[str, ...], said: str
) -> None:
    answer = leased("generations", *arguments)
    assert answer.status in {1, 2}
    assert said in answer.err


def test_what_an_ordinary_deploy_retires_is_a_line_for_a_day_and_no_problem(leased: Leased, shop: Shop) -> None:
    shop.start(shop.old, "web1")
    shop.start(shop.new, "web2")
    answer = leased("status", "--check")
    assert answer.status == 0
    assert "Retired in the last day: goes (by generation 2 at " in answer.out
    (one,) = leased("status", "--json").document["retired"]
    assert (one["application"], one["schedule"], one["retired_by"]) == ("shop", "goes", "generation 2")
    shop.store.shift(schedules, schedules.c.retired_at.is_not(None), retired_at=-1.1 * A_DAY)
    assert "Retired" not in leased("status").out


def test_what_is_held_back_by_a_revision_that_nobody_runs_is_a_problem_until_a_take_over(
    leased: Leased, shop: Shop
) -> None:
    shop.unseen_for(shop.start(dataclasses.replace(shop.old, revision=20261129), "web1"), AN_HOUR)
    shop.start(dataclasses.replace(shop.new, revision=44), "web2")
    ((kind, text),) = problems_of(leased)
    assert kind == "held back"
    assert text == (
        "generation 2 of shop is held back by revision 20261129, which no replica runs; if that revision was a mistake, make "
        "the newer definitions active with `leased sync FILE --take-over`"
    )
    assert leased("sync", "new.py", "--revision", "44", "--take-over").status == 0
    assert problems_of(leased) == []
    second, first = leased("generations", "--json").document["items"]
    assert [(one["revision"], one["counts"], one["state"]) for one in (second, first)] == [
        (44, True, "current"),
        (20261129, False, "superseded"),
    ]


def test_each_command_says_by_which_generation_a_schedule_was_retired(leased: Leased, shop: Shop) -> None:
    shop.start(shop.old, "web1")
    leased("trigger", "goes")
    shop.start(shop.new, "web2")
    leased("trigger", "goes").is_refused(
        1, 'the schedule "goes" of "shop" was retired by generation 2; define it again to run it'
    )
    assert "goes (shop) was retired by generation 2 at " in leased("runs", "goes").out
    for command in ("show", "logs"):
        assert "goes (shop) was retired by generation 2 at " in leased(command, "1").out
    assert "was retired" not in leased("runs", "comes").out
    assert 'the schedule "goes" of "shop" was retired by generation 2 at ' in leased("pause", "goes").err
    shop.store.shift(replicas, seen_at=-AN_HOUR)
    (waits,) = leased("runs", "goes", "--json").document["items"]
    assert waits["why"]["retired_by"] == "generation 2"
    assert "waits for a replica of generation 1; its schedule was retired by generation 2 at " in waits["why_text"]


def test_an_application_that_is_gone_is_retired_and_no_problem_any_more(leased: Leased, shop: Shop) -> None:
    leased("sync", "old.py")
    leased("trigger", "goes")
    assert "no replica" in dict(problems_of(leased))
    leased("retire").is_refused(2, "name the application: `leased retire --application NAME`")
    answer = leased("retire", "--application", "shop", "--by", "ann")
    assert answer.out == "shop is retired: goes, stays; 1 waiting run cancelled\n"
    assert leased("retire", "--application", "shop").out.startswith("shop is already retired")
    assert "goes (shop) was retired by ann at " in leased("runs", "goes").out
    assert leased("audit").status == 0
    misspelt = leased("retire", "--application", "shpo", "--json")
    assert json.loads(misspelt.err)["error"]["message"] == 'there is no application "shpo"; did you mean "shop"?'
