"""The page about moving a crontab: each line becomes what it says."""

import re
from pathlib import Path

import pytest

from daemon.definitions.sources.load import load
from daemon.definitions.triggers.cron import parse
from daemon.errors import InvalidCron
from tests.daemon.definitions.crontabs.crontabs import document, imported, remarks
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "migrate" / "move-a-crontab.md"
ROW = re.compile(r"^\| (?P<lines>`[^|]+`) \| (?P<here>.+) \|$", re.MULTILINE)
EXPRESSION = re.compile(r"`(@\w+|[\d*,/-]+(?: [\w*,/#-]+){4})`")
LINES = [
    (expression, row["here"].startswith("refused"), EXPRESSION.findall(row["here"]))
    for row in ROW.finditer(PAGE.read_text())
    for expression in EXPRESSION.findall(row["lines"])
]


@pytest.mark.parametrize(("expression", "refused", "instead"), LINES, ids=[line[0] for line in LINES])
def test_a_line_is_taken_or_refused_as_the_page_says(expression: str, refused: bool, instead: list[str]) -> None:
    if refused:
        with pytest.raises(InvalidCron):
            parse(expression)
    else:
        parse(expression)
    for other in instead:
        assert parse(other) is not None


def test_the_crontab_that_is_shown_becomes_what_is_shown(tmp_path: Path) -> None:
    """But for the time zone of the machine, and the timeout, which the page adds."""
    (tmp_path / "shown.toml").write_text(blocks(PAGE, "toml")[0])
    (tmp_path / "made.toml").write_text(document(imported(*blocks(PAGE, "crontab")[0].splitlines())))
    [shown], [made] = (load(tmp_path / name).schedules for name in ("shown.toml", "made.toml"))
    [job] = shown.jobs
    jobs = (job.model_copy(update={"timeout": None}),)
    assert shown.model_copy(update={"timezone": made.timezone, "jobs": jobs}) == made


def test_the_test_of_a_date_that_is_shown_gets_a_remark() -> None:
    assert any("if its test is false" in text for text in remarks(*blocks(PAGE, "crontab")[1].splitlines()))


def test_the_rows_are_found() -> None:
    assert len(LINES) >= 9
