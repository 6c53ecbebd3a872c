"""Ordinary weeks of which some is typed at a terminal: there it takes `--take-over` to supersede (rule 21)."""

import signal
from collections.abc import Callable, Iterator

import pytest

from tests.support.marked import marked_environment
from tests.support.replicas import Story
from tests.support.telling import FOLDER
from tests.support.terminal import Terminal
from tests.support.waiting import wait_until

from .deploys import end
from .test_names import SHORT, current, runs_again, start, write

pytestmark = pytest.mark.extended
PROGRAM = """
import asyncio, sys
from daemon import Schedules

schedules = Schedules("app")
schedules.add("mine", every="1h").command("work", "true")
schedules.add("orders", every="0.5s").command("work", "true")


async def main() -> None:
    async with schedules.replica(sys.argv[1]):
        pass


if __name__ == "__main__":
    asyncio.run(main())
"""
Type = Callable[..., Terminal]


@pytest.fixture
def typed(story: Story) -> Iterator[Type]:
    """Type a command at a terminal of its own, with the URL of production in its environment."""
    terminals: list[Terminal] = []

    def begun(*arguments: str) -> Terminal:
        environment = marked_environment(FOLDER, story.folder, {"LEASED_DATABASE_URL": story.url})
        terminals.append(Terminal(story.folder, *arguments, environment=environment))
        return terminals[-1]

    yield begun
    for terminal in terminals:
        terminal.close()


def run(*arguments: str) -> tuple[str, ...]:
    return ("-m", "leased", "run", *arguments, "--no-web", "--until-idle")


def test_a_laptop_at_a_terminal_with_the_database_of_production(story: Story, typed: Type) -> None:
    production, edited = write(story, "production", "orders", "billing"), write(story, "edited", "orders", "mine")
    replicas = [start(story, production) for _ in range(2)]
    staged = typed("-m", "leased", "sync", edited)
    assert staged.end() == 0, "that supersedes nobody"
    program = story.write_file("embedding.py", PROGRAM)
    for command in (run(edited), run(edited, "--revision=8"), run(edited, "--replicas=2"), (program, story.url)):
        laptop = typed(*command)
        said = laptop.said()
        assert "2 replicas on " in said
        assert (
            'run generation 1 of "app". These definitions would supersede theirs (retired: billing; added: mine' in said
        )
        assert laptop.end() == (1 if command[0] == program else 2), said
    alike = typed("-m", "leased", "run", production, "--no-web")
    wait_until(lambda: len(story.living()) == 3, "a second replica of the same definitions joins")
    alike.process.send_signal(signal.SIGTERM)
    assert alike.end() == 128 + signal.SIGTERM
    assert (1, "current", None) in current(story)
    assert [one.said("superseded") for one in replicas] == [[], []]
    assert "cancelled" not in {one.state for one in story.runs()}
    meant = typed("-m", "leased", "run", edited, "--no-web", "--take-over")  # until a replica has noticed
    replicas[0].wait_for_line("generation 1 is superseded by generation")
    meant.process.send_signal(signal.SIGTERM)
    meant.end()
    assert story.told("audit")["ok"]


def test_a_deploy_without_a_terminal_needs_no_take_over(story: Story, typed: Type) -> None:
    """By SIGTERM and start, by SIGHUP, back, and staged."""
    first, second = write(story, "first", "orders", "billing"), write(story, "second", "orders", "mine")
    olds = [start(story, first) for _ in range(2)]
    new = start(story, second)
    assert new.said("generation 2 is active")
    end(*olds)

    follower = start(story, second)
    write(story, "second", "orders", "yours")
    new.send(signal.SIGHUP)
    new.wait_for_line("generation 3 is active")
    follower.wait_for_line("generation 2 is superseded by generation 3")
    follower.send(signal.SIGHUP)
    follower.wait_for_line("generation 3 is active")
    runs_again(story, "yours")

    back = start(story, first, SHORT)
    assert back.said("generation 1 is superseded by generation 3")
    end(new, follower)
    back.wait_for_line("generation 1 is the fallback for generation 3")
    runs_again(story, "billing")

    third = write(story, "third", "orders", "ours")
    story.output("sync", third)
    assert (4, "staged", None) in current(story)
    assert typed(*run(third)).end() == 2, "its first replica would make it current"
    assert start(story, third).said("generation 4 is active")
    assert story.told("audit")["ok"]
