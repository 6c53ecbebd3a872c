"""What those who change the code read: lines that would take minutes or write files, which their programs take, and code as it is."""

import inspect
import os
import re
import shlex
import tomllib

from alembic.config import CommandLine
from packaging.requirements import Requirement

from benchmarks.options import read_options
from tests.chaos import effect
from tests.docs.pages import ROOT, blocks


def words_of(block: str) -> list[list[str]]:
    return [shlex.split(line, comments=True) for line in block.splitlines()]


def test_the_benchmarks_take_the_lines_of_their_page() -> None:
    (block,) = blocks(ROOT / "docs" / "internals" / "benchmarks.md", "sh")
    makefile = (ROOT / "Makefile").read_text()
    known = {"make": 0, "python": 0}
    for program, *words in words_of(block):
        known[program] += 1
        if program == "make":
            target, *given = words
            assert re.search(rf"^{target}:", makefile, re.MULTILINE)
            variables = dict(word.split("=") for word in given)
            assert all(f"$(if $({name})" in makefile or f"$({name})" in makefile for name in variables)
            if asked := variables.get("ONLY"):
                assert set(read_options(["--only", asked]).only) == set(asked.split(","))
        else:
            assert words[:2] == ["-m", "benchmarks"]
            read_options(words[2:])
    assert all(known.values())


def test_the_lines_of_contributing_are_taken() -> None:
    (revision,), locks = (words_of(block) for block in blocks(ROOT / "CONTRIBUTING.md", "sh"))
    taken = CommandLine().parser.parse_args(revision[1:])
    assert revision[1] == "-c"
    assert (ROOT / revision[2]).is_file()
    assert taken.cmd[0].__name__ == "revision"
    (everything, one) = locks
    assert os.access(ROOT / everything[0], os.X_OK)
    assert one[:2] == [*everything, "--upgrade-package"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert one[2] in {Requirement(each).name for each in project["optional-dependencies"]["daemon"]}


def test_the_evidence_prints_how_the_worker_looks_for_its_own_row_first() -> None:
    assert blocks(ROOT / "docs" / "internals" / "evidence.md", "python") == [inspect.getsource(effect._add)]
