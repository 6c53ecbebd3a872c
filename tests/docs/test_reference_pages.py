"""The pages of reference that no generator writes have a row for each thing that there is."""

import ast
import inspect
import re
from typing import get_args

import lease
import lease.sync
from daemon.cli.screen import ANSWERS
from daemon.definitions.values.targets import MessageStyle, PingStyle
from daemon.states import JobOutcome, MessageKind, RunOutcome
from daemon.store.views.problems import Kind
from daemon.telemetry import fact_log
from daemon.telemetry.facts import Fact
from lease.events import Event
from tests.docs.pages import ROOT

REFERENCE = ROOT / "docs" / "reference"
LIBRARY = {
    "A client": (lease.LeaseClient, lease.sync.LeaseClient),
    "A lease": (lease.Lease, lease.sync.Lease),
}


def rows(name: str, heading: str) -> list[list[str]]:
    """Return the cells of the tables below a heading, without their heads."""
    section = (REFERENCE / name).read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = re.sub(r"^.*\n\| ---.*\n", "", section, flags=re.MULTILINE).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def in_table(name: str, heading: str) -> str:
    """Return what to do if a table lacks a row, or has one too many."""
    return f'correct the table "{heading}" in docs/reference/{name}'


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_each_kind_of_problem_has_a_remedy() -> None:
    remedied = {named(kind)[0] for kind, remedy in rows("problems.md", "Problems") if remedy}
    assert remedied == {*get_args(Kind)}, in_table("problems.md", "Problems")


def logged(function: str) -> set[str]:
    """Return the texts that a function of the log writes as they are."""
    [found] = [one for one in ast.parse(inspect.getsource(fact_log)).body if getattr(one, "name", "") == function]
    formatted = {id(part) for node in ast.walk(found) if isinstance(node, ast.JoinedStr) for part in node.values}
    texts = {
        str(node.value): node
        for node in ast.walk(found)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in formatted
    }
    return {text for text in texts if re.fullmatch(r"[\w:',;]+( [\w:',;]+)+", text)}


def test_each_event_of_a_lease_and_its_line_in_the_log_has_a_row() -> None:
    assert fact_log._LEASE_LINES.keys() == {*get_args(Event)}, (
        "their lines: _LEASE_LINES in daemon/telemetry/fact_log.py"
    )
    table, where = rows("problems.md", "Log events of leases"), in_table("problems.md", "Log events of leases")
    events = {name for _, event, *_ in table for name in named(event)}
    assert events == {event.__name__ for event in get_args(Event)}, where
    lines = {text for line, *_ in table for text in named(line)}
    assert lines == {text for _, text in fact_log._LEASE_LINES.values()}, where


def test_each_line_of_the_log_about_runs_has_a_row() -> None:
    outcomes = {f"run {one}" for one in get_args(RunOutcome)} | {f"job {one}" for one in get_args(JobOutcome)}
    listed = {text for line, *_ in rows("problems.md", "Log events of runs") for text in named(line)}
    where = in_table("problems.md", "Log events of runs")
    assert listed - {"output"} == outcomes | logged("log_fact") | logged("_log_message"), where


def test_each_fact_has_a_row() -> None:
    listed = [name for cell, *_ in rows("facts.md", "The facts") for name in named(cell)]
    assert sorted(listed) == sorted(fact.__name__ for fact in get_args(Fact)), in_table("facts.md", "The facts")


def test_each_kind_and_each_style_of_messages_has_a_row() -> None:
    kinds = [named(kind)[0] for kind, *_ in rows("messages.md", "Kinds")]
    assert kinds == [*get_args(MessageKind)], in_table("messages.md", "Kinds")
    (styles,) = (text for key, text in rows("messages.md", "`notify`") if named(key) == ["style"])
    assert re.findall(r'"(\w+)"', styles) == [*get_args(MessageStyle)], in_table("messages.md", "`notify`")
    monitors = [named(style)[0] for style, *_ in rows("messages.md", "`ping`")]
    assert monitors == [*get_args(PingStyle)], in_table("messages.md", "`ping`")


def test_each_schema_has_a_link() -> None:
    linked = re.findall(r"\(schemas/([\w-]+)\.json\)", (REFERENCE / "json.md").read_text())
    assert sorted(linked) == sorted(ANSWERS), "link each schema in docs/reference/json.md"


def signatures(*of: type) -> set[str]:
    """Return the public methods of these classes, each with its arguments and their defaults."""
    found = set[str]()
    for one in of:
        methods = inspect.getmembers(one, inspect.isfunction)
        for name, signature in ((name, inspect.signature(method)) for name, method in methods if name[0] != "_"):
            bare = [each.replace(annotation=each.empty) for each in list(signature.parameters.values())[1:]]
            found.add(f"{name}{inspect.Signature(bare)}")
    return found


def test_the_signatures_of_the_library_are_those_that_it_has() -> None:
    shown = {heading: {text for row in rows("library.md", heading) for text in named(row[0])} for heading in LIBRARY}
    for heading, classes in LIBRARY.items():
        where = in_table("library.md", heading)
        assert {text for text in shown[heading] if "(" in text and "…" not in text} == signatures(*classes), where
        for one in classes:
            properties = {name for name, _ in inspect.getmembers(one, lambda each: isinstance(each, property))}
            assert {name for name in properties if name[0] != "_"} <= shown[heading], where
