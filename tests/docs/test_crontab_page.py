"""The page about moving a crontab: each line becomes what it says."""

import re

import pytest

from daemon.definitions.triggers.cron import parse
from daemon.errors import InvalidCron
from tests.docs.pages import ROOT

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


def test_the_rows_are_found() -> None:
    assert len(LINES) >= 9
