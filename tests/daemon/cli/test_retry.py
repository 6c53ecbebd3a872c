"""`leased retry` on real runs on SQLite: what it says, and what `show` and `runs` say of it."""

from pathlib import Path

import pytest

from .conftest import Leased

pytestmark = pytest.mark.usefixtures("processes")


@pytest.fixture
def failed(leased: Leased, folder: Path) -> int:
    """Return a run whose second job has failed; nothing stands in its way any more."""
    (folder / "broken").touch()
    assert leased("run", "shop.py", "--now", "nightly", "--until-idle", "--no-web").status == 1
    (folder / "broken").unlink()
    return 1


def test_a_retry_does_what_is_left_and_both_runs_say_so(leased: Leased, failed: int) -> None:
    said = leased("retry", str(failed), "--by", "bob", "--why", "the file is there")
    assert (said.status, said.err) == (0, "")
    assert said.out == (
        "run 2 tries run 1 of nightly (shop) again: it runs orders; done before and carried over: zones; "
        "it is waiting for a replica\n"
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
    refused = leased("retry", "1")
    assert (refused.status, refused.err) == (
        1,
        "leased: run 1 was retried as run 2 (succeeded): retry that one with --from JOB to run jobs of it again\n",
    )
    assert leased("audit").status == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("seven",), 2, '"seven" is not the number of a run'),
        (("4711",), 1, "run 4711 does not exist; the newest is 1"),
        (("1", "--from", "ordres"), 1, '"nightly" has no job "ordres"; did you mean "orders"?'),
        (("1", "--why", " "), 2, "--why is empty"),
        (("1", "--by", "two\nlines"), 2, "--by has line breaks"),
    ],
)
def test_a_retry_that_is_asked_for_wrongly_is_one_sentence(
    leased: Leased, failed: int, arguments: tuple[str, ...], status: int, said: str
) -> None:
    answer = leased("retry", *arguments)
    assert (answer.status, answer.out) == (status, "")
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert len(leased("runs", "--json").document["items"]) == 1
