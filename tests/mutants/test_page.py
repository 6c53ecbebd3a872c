"""The page of the mutants has the current table."""

from tests.mutants.copies import ROOT
from tests.mutants.mutants import MUTANTS
from tests.mutants.table import table


def test_their_page_has_each_mutant_with_its_checks() -> None:
    page = (ROOT / "docs" / "explanation" / "mutants.md").read_text(encoding="utf-8")
    assert table(MUTANTS) in page, "write the table again: python -m tests.mutants"
