"""The vocabulary of states: none lacks a word, a glyph of the sprite, and a tone of the style."""

from pathlib import Path
from typing import get_args

import pytest

import daemon.web.pages
from daemon.definitions.schedule import CatchUp, Overlap
from daemon.states import JobState, RunState, SkipReason
from daemon.web.pages import schedule_facts
from daemon.web.pages.states import ATTEMPTS, MISSED, RUNS, SCHEDULES, Shown, Standing, of_run, worst

PAGES = Path(daemon.web.pages.__file__).parent
ALL = [*RUNS.values(), *ATTEMPTS.values(), *SCHEDULES.values(), MISSED]


def test_each_state_that_is_stored_is_shown() -> None:
    assert set(RUNS) == set(get_args(RunState))
    assert set(ATTEMPTS) == set(get_args(JobState))
    assert set(SCHEDULES) == set(get_args(Standing))


def test_each_choice_of_a_policy_has_words_on_the_page_of_a_schedule() -> None:
    assert set(schedule_facts._OVERLAPS) == set(get_args(Overlap))
    assert set(schedule_facts._CATCH_UPS) == set(get_args(CatchUp))


@pytest.mark.parametrize("shown", ALL, ids=lambda shown: shown.word)
def test_each_glyph_is_in_the_sprite_and_each_tone_in_the_style(shown: Shown) -> None:
    assert f'<symbol id="g-{shown.glyph}"' in (PAGES / "templates" / "glyphs.html").read_text()
    assert f".t-{shown.tone} " in (PAGES / "static" / "style" / "00-tokens.css").read_text()


def test_a_skipped_run_says_why_and_a_missed_one_has_a_shape_of_its_own() -> None:
    words = {reason: of_run("skipped", reason) for reason in get_args(SkipReason)}
    assert words["overlap"].word == "skipped: overlap"
    assert words["missed"] == MISSED
    assert {shown.glyph for reason, shown in words.items() if reason != "missed"} == {"skipped"}
    assert of_run("failed", "exited 3").word == "failed"


def test_the_worst_of_the_states_of_a_schedule_is_shown() -> None:
    assert worst(["running", "failing", "paused"]) == "failing"
    assert worst([]) == "ok"
