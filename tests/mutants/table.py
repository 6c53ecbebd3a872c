"""The table of the mutants for people: which check catches which."""

from collections.abc import Iterable

from tests.mutants.copies import ROOT
from tests.mutants.in_campaigns import found
from tests.mutants.in_campaigns.found import CAUGHT
from tests.mutants.mutant import Checks, Kind, Mutant
from tests.mutants.mutants import MUTANTS

KINDS: tuple[Kind, ...] = ("postgres", "sqlite")
HEAD = ("mutant", "what is wrong", "PostgreSQL check", "SQLite check")
PAGE = ROOT / "docs" / "internals" / "mutants.md"


def filled(page: str) -> str:
    """Return the page with its two tables as they are now: of all mutants, and of those beyond campaigns."""
    return _replaced(_replaced(page, _line(HEAD), table(MUTANTS)), found.HEAD, found.table())


def _replaced(page: str, head: str, now: str) -> str:
    before, found, rest = page.partition(head)
    assert found, f"the page has no table that begins with {head}"
    _, _, after = rest.partition("\n\n")
    return before + now + (f"\n{after}" if after else "")


def table(mutants: Iterable[Mutant]) -> str:
    """Return the table in Markdown."""
    rows = [
        (mutant.name, mutant.says, *(_named(mutant.caught_by.get(kind), mutant.name in CAUGHT[kind]) for kind in KINDS))
        for mutant in mutants
    ]
    lines = [_line(HEAD), _line(("---",) * len(HEAD)), *map(_line, rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _named(checks: Checks | None, in_campaign: bool) -> str:
    if checks is None:
        return "not wrong there"
    return "<br>".join([*(f"`{check}`" for check in checks), *(["a campaign"] if in_campaign else [])])
