"""Every wrong definition is refused with the sentence that the table has for it, as the kind of error that it names."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.definitions.refusals import Case, cases, judged


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.get("toml") or case.get("python"))
def test_a_wrong_definition_is_refused_as_the_table_says(case: Case, folder: Path) -> None:
    now = judged(case, folder)
    assert now == case, "is the new sentence the better one? python -m tests.data.definitions refusals"
