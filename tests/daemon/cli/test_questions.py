"""The questions of commands: asked at a terminal only, nothing is done without a yes, and Ctrl-C there is quiet."""

import io

import pytest

from .conftest import Leased

QUESTIONS: dict[str, tuple[str, ...]] = {
    "Forget the params, reasons, errors and output of run 1 of nightly (shop), cancelled at 20": ("forget", "1"),
    "Cancel 1 run?": ("cancel", "--schedule", "nightly"),
}
pytestmark = pytest.mark.parametrize("question", QUESTIONS)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Interrupted(Terminal):
    """A terminal at which somebody presses Ctrl-C."""

    def readline(self, *_: object) -> str:  # type: ignore[override]
        raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def before(leased: Leased) -> object:
    """The runs before the question: one is cancelled, and one waits."""
    leased("sync", "shop.py")
    for command in (("trigger", "nightly"), ("cancel", "1", "--why", "a secret"), ("trigger", "nightly")):
        leased(*command)
    return leased("runs", "--json").document


def ask(leased: Leased, monkeypatch: pytest.MonkeyPatch, question: str, terminal: Terminal) -> tuple[int, str]:
    """Return the status of the command, and what was asked."""
    asked = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdin", terminal)
        patch.setattr("sys.stderr", asked)
        return leased(*QUESTIONS[question]).status, asked.getvalue()


@pytest.mark.parametrize(("typed", "is_done"), [("y", True), ("yes", True), ("n", False), ("", False)])
def test_it_is_done_only_after_a_yes(
    leased: Leased, before: object, monkeypatch: pytest.MonkeyPatch, question: str, typed: str, *, is_done: bool
) -> None:
    status, asked = ask(leased, monkeypatch, question, Terminal(typed))
    assert question in " ".join(asked.split())
    assert (status == 0, leased("runs", "--json").document != before) == (is_done, is_done)


def test_where_nobody_can_be_asked_nothing_is_done(leased: Leased, before: object, question: str) -> None:
    assert (leased(*QUESTIONS[question]).status, leased("runs", "--json").document) == (2, before)


def test_ctrl_c_at_a_question_ends_the_command_quietly(
    leased: Leased, before: object, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    status, asked = ask(leased, monkeypatch, question, Interrupted())
    assert (status, question in asked, asked.endswith("[y/N] \n")) == (130, True, True), "nothing after the question"
    assert leased("runs", "--json").document == before
