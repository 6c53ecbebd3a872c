"""The page about timings: each row can be made, and its figures are those of the code."""

import re
from pathlib import Path

import pytest

from daemon.service.settings import Settings
from lease import InvalidTiming, LeaseTiming
from lease.durations import format_duration
from tests.docs.pages import ROOT, blocks, run_program

PAGE = ROOT / "docs" / "how-to" / "locks" / "choose-timings.md"
COPIED, ALLOWED, REFUSED = re.findall(r"^\| ---.*\n((?:\|.*\n)+)", PAGE.read_text(), re.MULTILINE)


def cells(rows: str) -> list[list[str]]:
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows.splitlines()]


def made(arguments: str) -> LeaseTiming:
    """Return the timing of what is between backticks, with or without the name of its class."""
    given = arguments.strip("`").removeprefix("LeaseTiming(").removesuffix(")")
    timing = eval(f"LeaseTiming({given})", {"LeaseTiming": LeaseTiming})  # noqa: S307 - of our own page
    assert isinstance(timing, LeaseTiming)
    return timing


@pytest.mark.parametrize("row", cells(COPIED), ids=lambda row: row[1])
def test_a_row_to_copy_is_the_same_timing_in_a_program_and_as_settings(row: list[str]) -> None:
    within, program, settings, _ = row
    timing = made(program)
    assert within == f"{timing.ttl:g} s"
    flags = re.findall(r"--([a-z-]+) (\w+)", settings)
    given = {"lease_ttl" if name == "ttl" else name.replace("-", "_"): value for name, value in flags}
    assert Settings.model_validate(given).timing == timing
    assert re.findall(r'lease_ttl = "(\w+)"', settings) == ([given["lease_ttl"]] if "lease_ttl" in given else [])


@pytest.mark.parametrize("row", cells(ALLOWED), ids=lambda row: row[0])
def test_what_a_row_costs_and_allows_follows_from_its_timing(row: list[str]) -> None:
    timing = made(row[0])
    assert row[1:] == [
        f"{60 / timing.renew_every:g} a minute",
        *map(
            format_duration,
            (
                timing.tolerated_outage,
                timing.give_up,
                timing.ttl - timing.give_up - timing.kill_time,
                timing.give_up - timing.renew_every - 1,
            ),
        ),
    ]


def test_each_row_to_copy_has_its_figures() -> None:
    assert {made(row[1]) for row in cells(COPIED)} == {made(row[0]) for row in cells(ALLOWED)}


@pytest.mark.parametrize("row", cells(REFUSED), ids=lambda row: row[0])
def test_what_is_refused_is_refused_with_the_words_of_the_page(row: list[str]) -> None:
    with pytest.raises(InvalidTiming) as refused:
        made(row[0])
    assert row[1].strip("`") in str(refused.value)


def test_the_limits_of_two_seconds_are_those_of_its_timing() -> None:
    text = " ".join(PAGE.read_text().partition("## Before you take 2 s")[2].split())
    timing = LeaseTiming("2s")
    assert f"more than {timing.tolerated_outage:g} s loses" in text
    assert f"An attempt may take {timing.attempt_timeout:.2f} s" in text
    assert f"within {timing.kill_time:g} s of the loss" in text


@pytest.mark.usefixtures("processes")
def test_the_program_prints_what_the_page_shows(tmp_path: Path) -> None:
    (program,), (shown,) = blocks(PAGE, "python"), blocks(PAGE, "text")
    done = run_program(program, tmp_path)
    printed = re.sub("for 3[0-9] s", "for 40 s", done.stdout)  # where the machine was slow to print it
    assert (printed, done.stderr) == (shown, "")
