"""The page about a fixed lock timeout: which of its three programs start while which others run."""

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.docs.pages import ROOT, blocks
from tests.support.postgres import plain, query
from tests.support.waiting import wait_until

PAGE = ROOT / "docs" / "how-to" / "migrate" / "from-a-fixed-lock-timeout.md"
OLD, BOTH, LEASED = blocks(PAGE, "python")
ADD_COLUMN, RELEASE, DROP = blocks(PAGE, "sql")
LATER = (
    "UPDATE job_lock SET locked_at = locked_at - interval '61 minutes', touched_at = touched_at - interval '61 minutes'"
)
ROW = re.compile(r"^\| (?P<running>crashed \w+|old|both) \| (?P<starts>old|both) \| (?P<outcome>\w+)", re.MULTILINE)
ROWS = [(row["running"], row["starts"], row["outcome"]) for row in ROW.finditer(PAGE.read_text())]

Program = Callable[[str], SimpleNamespace]


@pytest.fixture
def url(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with the old table, and the column of the first step."""
    monkeypatch.setenv("DATABASE_URL", plain(postgres_url))
    query(postgres_url, "CREATE TABLE job_lock (name text PRIMARY KEY, locked_at timestamptz)")
    query(postgres_url, "INSERT INTO job_lock VALUES ('daily-full-sync')")
    query(postgres_url, ADD_COLUMN)
    yield postgres_url
    query(postgres_url, DROP)


def program(text: str, work: Callable[[], object]) -> Callable[[], None]:
    """Return the program's `poll`, whose synchronization is ``work``."""
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(text, "program", "exec"), names)  # noqa: S102 - of our own page
    names["sync"] = lambda *_: work()
    names["TOUCH_EVERY"] = 0.01
    poll: Callable[[], None] = names["poll"]
    return poll


def starts(text: str) -> bool:
    worked: list[bool] = []
    program(text, lambda: worked.append(True))()
    return worked != []


PROGRAMS = {"old": OLD, "both": BOTH}


@pytest.mark.parametrize(("running", "starting", "outcome"), ROWS)
def test_which_program_starts_while_which_is_running(url: str, running: str, starting: str, outcome: str) -> None:
    began: list[bool] = []
    if running.startswith("crashed"):
        touched = "now()" if running == "crashed both" else "NULL"
        query(url, f"UPDATE job_lock SET locked_at = now(), touched_at = {touched}")
        began.append(starts(PROGRAMS[starting]))
    else:
        program(PROGRAMS[running], lambda: began.append(starts(PROGRAMS[starting])))()
    assert began == [outcome == "starts"]


def test_while_a_program_holds_both_the_old_clean_up_finds_its_lock_fresh(url: str) -> None:
    began: list[bool] = []
    is_fresh = "SELECT 1 FROM job_lock WHERE locked_at > now() - interval '1 minute'"

    def work_for_long() -> None:
        query(url, LATER)
        wait_until(lambda: query(url, is_fresh), "the lock is touched")
        began.append(starts(OLD))

    program(BOTH, work_for_long)()
    assert began == [False]
    assert starts(OLD), "it was unlocked at the end"


def test_a_lock_of_an_old_program_that_crashed_is_released_by_hand_at_the_end(url: str) -> None:
    query(url, "UPDATE job_lock SET locked_at = now()")
    assert not starts(BOTH)
    query(url, RELEASE)
    assert starts(BOTH)


def test_the_last_program_and_the_one_that_holds_both_exclude_each_other(url: str) -> None:
    began: list[bool] = []
    program(BOTH, lambda: began.append(starts(LEASED)))()
    program(LEASED, lambda: began.append(starts(BOTH)))()
    assert began == [False, False]
    assert starts(LEASED)
