"""The page about troubleshooting: each message in it is one that the product can print."""

import ast
import functools
import re
from collections.abc import Iterator
from typing import get_args

import pytest

from daemon.states import JobState
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "how-to" / "operate" / "troubleshooting.md"
SYMPTOM = re.compile(r"^\| (?P<symptom>[^|]*`[^|]*) \|.*\|.*\|$", re.MULTILINE)
SYMPTOMS = [row["symptom"] for row in SYMPTOM.finditer(PAGE.read_text())]
GAP = "…"
SHORTEST = 6


def texts() -> Iterator[str]:
    """Yield every string of the product's code but its docstrings, with a gap for each value in it."""
    for package in ("daemon", "lease"):
        for file in (ROOT / package).rglob("*.py"):
            nodes = [*ast.walk(ast.parse(file.read_text()))]
            docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
            for node in nodes:
                if isinstance(node, ast.JoinedStr):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
                    yield node.value


@functools.cache
def printed() -> str:
    return "\n\n".join(texts())


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_each_symptom_is_a_message_or_a_state_of_the_product(symptom: str) -> None:
    (shown,) = re.findall("`(.*)`", symptom)
    if symptom.startswith("an attempt is"):
        assert shown in get_args(JobState)
        return
    pieces = [piece.strip() for piece in shown.split(GAP) if piece.strip()]
    assert max(map(len, pieces)) >= SHORTEST
    assert re.search("[^\n]*".join(map(re.escape, pieces)), printed()), f"nothing prints {shown!r}"


def test_the_symptoms_are_found() -> None:
    assert len(SYMPTOMS) > 35
