"""Each mutant is caught by a campaign, or it is known what keeps it from that; and the page says so."""

from tests.mutants.copies import ROOT
from tests.mutants.in_campaigns.found import BEYOND, CAUGHT, TRIED, table
from tests.mutants.mutants import MUTANTS


def test_each_mutant_is_caught_or_has_one_reason() -> None:
    placed = sorted([*CAUGHT["postgres"], *(name for names in BEYOND.values() for name in names)])
    assert placed == sorted(mutant.name for mutant in MUTANTS if "postgres" in mutant.caught_by)


def test_the_page_has_the_reasons() -> None:
    page = (ROOT / "docs" / "internals" / "mutants.md").read_text(encoding="utf-8")
    assert table() in page
    assert f"{TRIED} of these {sum(map(len, BEYOND.values()))}" in page
