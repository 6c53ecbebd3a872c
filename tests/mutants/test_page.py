"""The page of the mutants has the current table, and the other pages know how many there are."""

import re

from tests.mutants.copies import ROOT
from tests.mutants.mutants import MUTANTS
from tests.mutants.table import PAGE, filled


def test_their_page_has_each_mutant_with_its_checks() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page), "write the table again: make docs"


def test_each_page_that_counts_them_counts_right() -> None:
    counts = [
        count
        for page in ("README.md", "docs/explanation/evidence.md")
        for count in re.findall(
            r"(\d+) (?:deliberately )?wrong variants|wrong variants of the product \| (\d+) ",
            (ROOT / page).read_text(encoding="utf-8"),
        )
    ]
    assert {int(one or other) for one, other in counts} == {len(MUTANTS)}
