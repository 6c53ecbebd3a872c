"""`leased pause`, `resume` and `activity`: what they say, and what they refuse."""

from pathlib import Path

import pytest

from tests.daemon.cli.conftest import Leased

TWO = """
from daemon import Schedules

schedules = Schedules("office")
for name in ["nightly", "weekly"]:
    schedules.add(name, cron="30 2 1 1 *", tags=["money"]).command("work", "true", timeout="1m")
"""
ANN = ("--by", "ann@web-1")
pytestmark = pytest.mark.usefixtures("synced")


@pytest.fixture
def synced(leased: Leased, folder: Path) -> None:
    assert leased("db", "upgrade").status == 0
    (folder / "two.py").write_text(TWO)
    assert leased("sync", "two.py").status == 0


def test_a_pause_and_its_end_are_told_where_people_look(leased: Leased) -> None:
    leased("pause", "weekly", "--until", "2099-01-05T08:00:00Z", "--why", "the bank is closed", *ANN)
    pause = "paused by ann@web-1 until 2099-01-05 08:00:00Z: the bank is closed"
    assert [pause in line for line in leased("status").lines if line.startswith("weekly")] == [True]
    (line,) = [item for item in leased("status", "--json").document["items"] if item["schedule"] == "weekly"]
    assert (line["paused_by"], line["paused_why"]) == ("ann@web-1", "the bank is closed")
    assert line["paused_until"] == "2099-01-05T08:00:00Z"
    (told,) = leased("resume", "weekly").lines
    assert told.startswith("weekly (office) is resumed: no scheduled time passed while it was paused; it runs next at ")
    assert "paused" not in leased("status").out


def test_the_second_pause_and_another_one_say_what_is_so_now(leased: Leased) -> None:
    leased("pause", "weekly", "--why", "closed", *ANN)
    (again,) = leased("pause", "weekly", "--by", "eve").lines
    assert again.startswith("weekly (office) is already paused by ann@web-1 since 2")
    assert again.endswith("Z: closed; nothing changed; to change the pause, give another --until or --why")
    (other,) = leased("pause", "weekly", "--by", "eve", "--why", "still closed").lines
    assert other.startswith("weekly (office) was already paused, and is now paused by eve since 2")
    assert other.endswith("Z: still closed")


def test_all_with_a_tag_are_listed_and_those_that_were_not_paused_are_counted(leased: Leased) -> None:
    assert len(leased("pause", "--tag", "money").lines) == 2
    leased("resume", "nightly")
    assert leased("resume", "--all", "--application", "office").lines[1:] == [
        "1 schedule was not paused, and stays as it was"
    ]
    assert leased("resume", "--all").lines == ["2 schedules were not paused, and stay as they were"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "say which schedules: the NAME of one, --tag TAG or --all"),
        (("weekly", "--all"), "give only one of NAME, --tag and --all"),
        (("wekly",), 'there is no schedule "wekly"; did you mean "weekly"?'),
        (("--all", "--application", "offise"), 'there is no application "offise"; did you mean "office"?'),
        (("--tag", "mony"), 'no schedule has the tag "mony"; did you mean "money"?'),
        (("weekly", "--why", ""), "--why is empty; leave it out, or give one"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(
    leased: Leased, arguments: tuple[str, ...], sentence: str
) -> None:
    for command in ("pause", "resume"):
        refused = leased(command, *arguments)
        assert (refused.status > 0, refused.out, refused.err) == (True, "", f"leased: {sentence}\n")
    assert leased("activity", "--json").document["items"] == []


@pytest.mark.parametrize(
    ("until", "sentence"),
    [
        ("2099-01-05 8:00 Mars", '--until: there is no time zone "Mars"; '),
        (
            "2020-01-05T08:00:00Z",
            "until must be in the future, but 2020-01-05 08:00:00Z is not: the database's time is ",
        ),
        ("99999999d", "until is too far away; leave it out"),
    ],
)
def test_an_end_that_is_none_is_one_sentence(leased: Leased, until: str, sentence: str) -> None:
    leased("pause", "weekly", f"--until={until}").is_one_sentence(2, sentence)
    assert leased("activity", "--json").document["items"] == []


def test_a_name_in_two_applications_asks_for_one_and_a_retired_one_is_refused(leased: Leased) -> None:
    leased("sync", "shop.py")
    leased("pause", "nightly").is_refused(
        2, 'several applications have a schedule "nightly": add --application office or shop'
    )
    leased("pause", "nightly", "--application", "shop")
    Path("two.py").write_text(TWO.replace('"nightly", ', ""))
    leased("sync", "two.py")
    refused = leased("pause", "nightly", "--application", "office")
    assert refused.status == 1
    assert refused.err.startswith('leased: the schedule "nightly" of "office" was retired by generation 2 at ')
    assert refused.err.endswith(", so it has no scheduled times; define it again to run it\n")


def test_the_activity_says_who_did_what_and_why_the_latest_first(leased: Leased) -> None:
    leased("trigger", "weekly", "--by", "bob@web-2", "--why", "a test")
    leased("cancel", "1", *ANN)
    leased("pause", "--all", "--until", "2099-01-05T08:00:00Z", *ANN)
    head, first, second, third = leased("activity").lines
    assert head.split() == ["WHEN", "WHO", "ACT", "SCHEDULE", "RUN", "WHY", "EFFECT"]
    assert "ann@web-1  pause    nightly and 1 more" in first
    assert first.endswith("until 2099-01-05 08:00:00Z")
    assert "cancel" in second
    assert "trigger" in third
    items = leased("activity", "--json").document["items"]
    assert [item["act"] for item in items] == ["pause", "pause", "cancel", "trigger"]
    assert items[-1] == items[-1] | {"acted_by": "bob@web-2", "why": "a test", "run_id": 1, "schedule": "weekly"}


@pytest.mark.parametrize(
    ("narrowed", "acts"),
    [
        (("--schedule", "weekly"), ["pause", "trigger"]),
        (("--by", "bob"), ["trigger"]),
        (("--by", "an"), []),
        (("--act", "trigger"), ["trigger"]),
        (("--since", "99999d"), ["pause", "pause", "trigger"]),
        (("--since", "2099-01-01T00:00:00Z"), []),
        (("--limit", "1"), ["pause"]),
    ],
)
def test_the_activity_can_be_narrowed(leased: Leased, narrowed: tuple[str, ...], acts: list[str]) -> None:
    leased("trigger", "weekly", "--by", "bob@web-2")
    leased("pause", "--all", *ANN)
    assert [item["act"] for item in leased("activity", *narrowed, "--json").document["items"]] == acts
    if not acts:
        assert leased("activity", *narrowed).lines == [
            "Nothing matches; `leased activity` without options lists everything."
        ]


def test_no_activity_says_what_to_do_and_what_is_not_there_is_one_sentence(leased: Leased) -> None:
    assert leased("activity").lines == [
        "Nobody has done anything yet; `leased trigger`, `cancel`, `pause`, `resume` and the like are listed here."
    ]
    for arguments, sentence in (
        (("--act", "pauze"), 'there is no act "pauze"; use one of trigger, pause, resume, cancel, retry, '),
        (("--schedule", "wekly"), 'there is no schedule "wekly"; did you mean "weekly"?'),
        (("--since", "yesteday"), '--since: "yesteday" is not a time'),
    ):
        refused = leased("activity", *arguments)
        assert refused.status > 0
        assert sentence in refused.err
