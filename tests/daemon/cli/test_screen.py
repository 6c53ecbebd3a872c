"""The output on stdout: states in colour, other values as they are."""

import io
from typing import get_args

import pytest
from rich.console import Console

from daemon.cli.screen import State, add, state_cell, state_style, table
from daemon.states import JobState, ReplicaState, RunState

STATES = {state for states in (RunState, JobState, ReplicaState) for state in get_args(states)}


def drawn(*cells: object) -> str:
    written = io.StringIO()
    shown = table(*("" for _ in cells))
    add(shown, *cells)
    Console(file=written, force_terminal=True, color_system="standard", width=80).print(shown)
    return written.getvalue()


@pytest.mark.parametrize("state", sorted(STATES))
def test_every_state_has_a_colour(state: State) -> None:
    assert state_style(state)
    assert f"m{state} (attempt 2)" in drawn(state_cell(state, " (attempt 2)"))


def test_a_schedule_that_is_named_like_a_state_has_no_colour() -> None:
    assert "\x1b[31mfailed" in drawn(state_cell("failed"))
    assert "\x1b[31m" not in drawn("failed")


def test_a_value_cannot_steer_the_terminal() -> None:
    assert "\x1b]0;title" not in drawn("\x1b]0;title")
