"""`leased forget` at the command line: it asks, it refuses where nobody can answer, and it says what was done."""

import pytest

from .conftest import Leased

SECRET = "ada lovelace"


@pytest.fixture
def forgettable(leased: Leased) -> Leased:
    """A command, with a run that was cancelled and tells of a person."""
    leased("sync", "shop.py")
    leased("trigger", "nightly", "--why", SECRET)
    leased("cancel", "1", "--by", "bob", "--why", SECRET)
    assert SECRET in leased("show", "1").out
    return leased


def test_it_says_what_was_done_and_nothing_shows_it_any_more(forgettable: Leased) -> None:
    answer = forgettable("forget", "1", "--by", "ann", "--yes")
    said = "run 1 of nightly (shop) is forgotten: its params, reasons, errors and output are deleted"
    assert (answer.status, answer.out) == (0, f"{said}; when it ran and how it ended are kept\n")
    shown = forgettable("show", "1").out
    assert SECRET not in shown + forgettable("runs").out + forgettable("show", "1", "--json").out
    assert "forgotten by  ann, 20" in shown
    again = forgettable("forget", "1", "--yes")
    assert again.status == 0
    assert again.out.startswith("run 1 was already forgotten by ann at 20")


def test_one_that_is_not_over_is_refused_before_anything_is_asked(leased: Leased) -> None:
    leased("sync", "shop.py")
    leased("trigger", "nightly")
    for more in ((), ("--yes",)):
        answer = leased("forget", "1", *more)
        assert answer.status == 1
        assert 'run 1 of "nightly" is pending and cannot be forgotten yet' in " ".join(answer.err.split())
