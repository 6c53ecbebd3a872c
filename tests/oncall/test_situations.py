"""In each situation, the first lines of some answer name the cause."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.starter import Starter

from .desk import Desk
from .situations import FIRST_LINES, SITUATIONS, Situation

pytestmark = [
    pytest.mark.extended,
    pytest.mark.skipif(sys.platform != "linux", reason="replicas are looked for in /proc"),
    pytest.mark.usefixtures("processes"),
]


@pytest.fixture(scope="module")
def starter() -> Iterator[Starter]:
    made = Starter()
    yield made
    made.end()


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda one: one.stage.__name__)
def test_the_first_lines_of_an_answer_name_the_cause(situation: Situation, tmp_path: Path, starter: Starter) -> None:
    with Desk(tmp_path, starter) as desk:
        try:
            situation.stage(desk)
            for command, pattern in situation.answers:
                first = "\n".join(desk.ask(*command).splitlines()[:FIRST_LINES])
                assert re.search(pattern, first), f"leased {' '.join(command)}:\n{first}"
        finally:
            desk.close()


def test_in_a_shop_where_nothing_is_wrong_no_answer_names_a_cause(tmp_path: Path, starter: Starter) -> None:
    with Desk(tmp_path, starter) as desk:
        desk.work()
        desk.over("report", number=2)
        asked = {command: desk.ask(*command) for one in SITUATIONS for command, _ in one.answers}
    named = [one.cause for one in SITUATIONS for command, cause in one.answers if re.search(cause, asked[command])]
    assert named == []
