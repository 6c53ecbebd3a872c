"""The page of the mutants has the current tables, and the other pages know how many there are; and of each mutant it is
known whether a campaign catches it, or what keeps it from that.
"""

import re

import pytest

from tests.mutants.copies import ROOT
from tests.mutants.in_campaigns.found import BEYOND, CAUGHT, TRIED
from tests.mutants.mutants import MUTANTS
from tests.mutants.table import PAGE, filled
from tests.support.levels import IN_MAKE_TEST


def test_their_page_has_each_mutant_with_its_checks() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page), "write the tables again: make docs"
    assert f"{TRIED} of these {sum(map(len, BEYOND.values()))}" in page


def test_each_mutant_is_caught_by_a_campaign_or_has_one_reason() -> None:
    placed = sorted([*CAUGHT["postgres"], *(name for names in BEYOND.values() for name in names)])
    assert placed == sorted(mutant.name for mutant in MUTANTS if "postgres" in mutant.caught_by)


def test_each_page_that_counts_them_counts_right() -> None:
    counts = [
        count
        for page in ("README.md", "docs/internals/evidence.md")
        for count in re.findall(
            r"(\d+) (?:deliberately )?wrong variants|wrong variants of the product \| (\d+) ",
            (ROOT / page).read_text(encoding="utf-8"),
        )
    ]
    assert {int(one or other) for one, other in counts} == {len(MUTANTS)}


def file_of(node: str) -> str:
    return node.partition("::")[0]


def test_nearly_every_mutant_is_caught_by_a_check_that_make_test_runs(pytestconfig: pytest.Config) -> None:
    runs = pytestconfig.stash[IN_MAKE_TEST]
    checks = {mutant.name: {node for nodes in mutant.caught_by.values() for node in nodes} for mutant in MUTANTS}
    named = set().union(*checks.values())
    if not set(map(file_of, named)) <= set(map(file_of, runs)):
        pytest.skip("only where the whole suite is collected")
    assert sorted(named - runs.keys()) == [], "there are no such tests any more"
    caught = {name for name, nodes in checks.items() if any(runs[node] for node in nodes)}
    assert len(caught) >= 0.95 * len(MUTANTS), f"caught by `make test-all` alone: {sorted(checks.keys() - caught)}"
