"""The life of a scheduled time and of its run, as two docstrings tell it, and as one run lives it."""

import re
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from daemon import execution, scheduling
from tools.size import FILE, by_a_run

pytestmark = pytest.mark.usefixtures("processes")


@pytest.fixture(scope="module")
def entered(tmp_path_factory: pytest.TempPathFactory) -> list[CodeType]:
    """All functions of the product that a scheduled time enters, in the order in which it first does."""
    file = tmp_path_factory.mktemp("life") / "schedules.toml"
    file.write_text(FILE)
    return [*by_a_run(file).by_any]


@pytest.mark.parametrize("room", [scheduling, execution], ids=lambda room: room.__name__)
def test_a_run_enters_what_the_docstring_names_in_its_order(room: ModuleType, entered: list[CodeType]) -> None:
    told = re.findall(r"^    ([a-z_]+(?:\.\w+)+)  +\S", room.__doc__ or "", re.MULTILINE)
    assert len(told) > 7
    assert [name for code in entered if (name := named(code, room)) in told] == told


def named(code: CodeType, room: ModuleType) -> str | None:
    file, home = Path(code.co_filename), Path(str(room.__file__)).parent
    if not file.is_relative_to(home):
        return None
    return ".".join((*file.relative_to(home).with_suffix("").parts, code.co_qualname))
