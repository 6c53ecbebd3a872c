"""All mutants, as they stand in `named/`, by what they break.

    [name] what a campaign finds of it (tests/mutants/in_campaigns/found.py); nothing if it is wrong on SQLite alone
    what is wrong, in a line or two
    the/file/that/is/edited.py
      a line, or a piece of one, that stays
    - what is taken out: once in its file
    + what comes instead; without such a line, its line break goes as well
    each the/node.py::that_fails_on_it[{}]

A file and its lines may come several times, and so may the checks: `each` is one for each kind of database, which
`{}` stands for; `either` needs none, and so holds for both; `postgres` and `sqlite` are for a mistake that is possible
only there. A long node goes on after its `::` in the next line. `needs a pooler` skips the checks where there is none.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutants.mutant import Edit, Kind, Mutant

ON: dict[str, tuple[Kind, ...]] = {
    "each": ("postgres", "sqlite"),
    "either": ("postgres", "sqlite"),
    "postgres": ("postgres",),
    "sqlite": ("sqlite",),
}
"""The kinds of database on which a check is one."""
FILE = re.compile(r"[\w./]+/[\w.]+|leased\.py")


def read(text: str) -> Iterator[Mutant]:
    """Yield the mutants of a file in `named/`; ValueError for a line that is none of theirs."""
    for block in re.split(r"^(?=\[)", text, flags=re.MULTILINE)[1:]:
        head, *lines = block.replace("::\n  ", "::").splitlines()
        name, _, in_campaigns = head.removeprefix("[").partition("]")
        says: list[str] = []
        edits: list[tuple[str, list[str]]] = []
        caught_by: dict[Kind, tuple[str, ...]] = {}
        for line in filter(None, lines):
            word, _, node = line.partition(" ")
            if FILE.fullmatch(line):
                edits.append((line, []))
            elif not edits:
                says.append(line)
            elif word in ON:
                for kind in ON[word]:
                    check = node.replace("{}", kind) if word == "each" else node
                    caught_by[kind] = (*caught_by.get(kind, ()), check)
            elif line[0] in " -+":
                edits[-1][1].append(line)
            elif line != NEEDS_POOLER:
                raise ValueError(f"{name}: {line}")
        yield Mutant(
            name,
            " ".join(says),
            tuple(_edit(file, changed) for file, changed in edits),
            caught_by,
            NEEDS_POOLER in lines,
            in_campaigns.strip(),
        )


def _edit(file: str, lines: Sequence[str]) -> Edit:
    old = "\n".join(line[2:] for line in lines if line[0] != "+")
    new = [line[2:] for line in lines if line[0] != "-"]
    return Edit(file, old, "\n".join(new)) if new else Edit(file, f"{old}\n", "")


NEEDS_POOLER = "needs a pooler"
MUTANTS = tuple(
    mutant
    for file in sorted((Path(__file__).parent / "named").glob("*.diff"))
    for mutant in read(file.read_text(encoding="utf-8"))
)
