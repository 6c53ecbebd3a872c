"""The page of the evidence prints the lines that keep a campaign's effects from being doubled, as they are."""

import inspect

from tests.chaos import effect
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "internals" / "evidence.md"


def test_it_prints_how_the_worker_looks_for_its_own_row_first() -> None:
    assert blocks(PAGE, "python") == [inspect.getsource(effect._add)]
