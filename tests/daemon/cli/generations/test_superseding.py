"""`leased run` and `leased sync` at a terminal, where living replicas run other definitions."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.terminal import Terminal

from ..conftest import Answer, Leased
from .conftest import Shop, numbers

Start = Callable[..., Terminal]


@pytest.fixture
def at_a_terminal(shop: Shop, processes: None) -> Iterator[Start]:
    started: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        started.append(Terminal(shop.folder, "-m", "leased", *arguments))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


RUN = ("--no-web", "--until-idle")


@pytest.mark.parametrize("options", [(), ("--replicas", "2"), ("--now", "stays")])
@pytest.mark.sampled(1)
def test_at_a_terminal_it_is_refused_and_says_who_runs_what_and_what_would_change(
    leased: Leased, shop: Shop, at_a_terminal: Start, options: tuple[str, ...]
) -> None:
    shop.start(shop.old, "web1")
    shop.start(shop.old, "web2")
    terminal = at_a_terminal("run", "new.py", *RUN, *options)
    said = terminal.said()
    assert '2 replicas on web1, web2 run generation 1 of "shop". These definitions would supersede theirs ' in said
    assert "(retired: goes; added: comes). At a terminal, that needs --take-over" in said
    assert terminal.end() == 2
    assert numbers(leased) == [1]
    assert [one["host"] for one in leased("replicas", "--json").document["items"]] == ["web1", "web2"], "it never began"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, processes: None) -> None:
    """What is run in this process counts as started at a terminal."""
    monkeypatch.setattr("daemon.cli.commands.run.at_a_terminal", lambda: True)


@pytest.mark.usefixtures("typed")
def test_a_take_over_says_that_it_is_meant_and_yes_that_nobody_is_at_the_terminal(leased: Leased, shop: Shop) -> None:
    shop.start(shop.old, "web1")
    assert leased("run", "edited.py", *RUN).status == 2
    assert leased("run", "edited.py", *RUN, "--yes").status == 0
    assert numbers(leased) == [2, 1]
    assert leased("run", "old.py", *RUN).status == 1, "that one is superseded"
    assert leased("run", "old.py", *RUN, "--take-over").status == 0
    assert numbers(leased) == [3, 2, 1]


@pytest.mark.usefixtures("typed")
def test_who_has_started_since_it_looked_is_seen_where_it_writes(
    leased: Leased, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def then_they_start(*_: object, **__: object) -> None:
        shop.start(shop.old, "web1")

    monkeypatch.setattr("daemon.cli.commands.run.look_first", then_they_start)
    answer = leased("run", "new.py", *RUN)
    assert answer.status == 2
    assert '1 replica on web1 runs generation 1 of "shop"' in answer.err
    assert numbers(leased) == [1]


@pytest.mark.extended
def test_a_sync_at_a_terminal_stages_and_supersedes_nobody(leased: Leased, shop: Shop, at_a_terminal: Start) -> None:
    shop.start(shop.old, "web1")
    assert at_a_terminal("sync", "new.py").end() == 0
    states = [(one["number"], one["state"]) for one in leased("generations", "--json").document["items"]]
    assert states == [(2, "staged"), (1, "current")]
    assert at_a_terminal("run", "new.py", *RUN).end() == 2, "its first replica would make it current"
    assert at_a_terminal("sync", "new.py", "--take-over").end() == 0
    assert at_a_terminal("run", "new.py", *RUN).end() == 0


def test_without_a_terminal_it_goes_on_and_says_so(leased: Leased, process: Leased, shop: Shop) -> None:
    shop.start(shop.old, "web1")
    answer: Answer = process("run", "new.py", "--until-idle", "--no-web")
    assert answer.status == 0
    assert "1 replica on web1 runs generation 1; these definitions supersede theirs" in answer.out + answer.err
    assert numbers(leased) == [2, 1]
