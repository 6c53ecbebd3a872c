"""The questions of commands, and Ctrl-C at them: nothing is done, and nothing is to be reported."""

import pytest

from .conftest import Leased
from .test_retry import Terminal

QUESTIONS: dict[str, tuple[str, ...]] = {
    "Forget the params, reasons, errors and output of run 1 of nightly": ("forget", "1"),
    "Cancel 1 run?": ("cancel", "--schedule", "nightly"),
}


class Interrupted(Terminal):
    """A terminal at which somebody presses Ctrl-C."""

    def readline(self, *_: object) -> str:  # type: ignore[override]
        raise KeyboardInterrupt


@pytest.mark.parametrize("question", QUESTIONS)
def test_ctrl_c_at_a_question_ends_the_command_quietly(
    leased: Leased, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    leased("sync", "shop.py")
    leased("trigger", "nightly")
    leased("cancel", "1")
    leased("trigger", "nightly")
    before = leased("runs", "--json").document
    with monkeypatch.context() as patch:
        asked = Terminal()
        patch.setattr("sys.stdin", Interrupted())
        patch.setattr("sys.stderr", asked)
        assert leased(*QUESTIONS[question]).status == 130
    assert question in asked.getvalue()
    assert asked.getvalue().endswith("[y/N] \n"), "nothing after the question"
    assert leased("runs", "--json").document == before
