"""The table of the mutants, for people: which check caught which."""

from collections.abc import Iterable

from tests.mutants.mutant import Checks, Mutant

HEAD = ("mutant", "what is wrong", "PostgreSQL check", "SQLite check")


def table(mutants: Iterable[Mutant]) -> str:
    """Return it in Markdown."""
    rows = [
        (mutant.name, mutant.says, _named(mutant.caught_by.get("postgres")), _named(mutant.caught_by.get("sqlite")))
        for mutant in mutants
    ]
    lines = [_line(HEAD), _line(("---",) * len(HEAD)), *map(_line, rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _named(checks: Checks | None) -> str:
    return "not wrong there" if checks is None else "<br>".join(f"`{check}`" for check in checks)
