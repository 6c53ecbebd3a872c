"""What a campaign of half a minute, one of three by its seed, finds of each mutant that is wrong on PostgreSQL: whoever
adds one has to think of it.
"""

from tests.mutants.mutant import Kind
from tests.mutants.mutants import MUTANTS

MINUTES = 0.5
SEEDS = (1, 2, 3)
CAUGHT: dict[Kind, list[str]] = {
    "postgres": [mutant.name for mutant in MUTANTS if mutant.in_campaigns in {"caught", "caught on both"}],
    "sqlite": [mutant.name for mutant in MUTANTS if mutant.in_campaigns == "caught on both"],
}
WHY_NOT = {
    "guarded": "another guard keeps the promise",
    "late": "it is late, or costs more, as on a busy machine",
    "unpromised": "no promise of a history speaks of it",
    "untried": "campaigns do not do what it takes",
    "seldom": "it takes a moment that a campaign seldom meets",
}
"""What keeps a campaign from catching it, as far as is known, by its word in `named/`."""
BEYOND = {word: sorted(one.name for one in MUTANTS if one.in_campaigns == word) for word in WHY_NOT}
HEAD = "| why not | variants |"
TRIED = 140
"""How many of them were put through one."""


def table() -> str:
    """Return the table of the reasons in Markdown."""
    rows = (f"| {WHY_NOT[word]} | {', '.join(names)} |" for word, names in BEYOND.items())
    return "\n".join([HEAD, "| --- | --- |", *rows]) + "\n"
