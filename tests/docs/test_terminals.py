"""What a terminal in the documentation shows is what comes when its commands are typed."""

from pathlib import Path

import pytest

from tests.docs.pages import name_of
from tools.terminals import PAGES, blocks, normalised, played

pytestmark = pytest.mark.usefixtures("processes")


@pytest.mark.extended
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_terminal_shows_what_comes(page: Path) -> None:
    shown = [normalised(block) for block in blocks(page)]
    assert [normalised(block) for block in played(page, hurried=True)] == shown, "run make docs"
