"""Which generation is which, who runs it, and what comes next, as the commands tell it."""

import contextlib
import dataclasses
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from daemon.definitions.application import Application
from daemon.definitions.sources.load import load
from daemon.recovery import registry
from daemon.scheduling.deploys.bring import bring
from daemon.store import migrations
from daemon.store.tables import generation as generations
from daemon.store.tables import replica as replicas
from daemon.store.tables import schedule as schedules
from tests.support.store import Store
from tests.support.waiting import LIMIT

from .conftest import ROOT, Answer, Leased

FILE = """
from daemon import Schedules
schedules = Schedules("shop")
schedules.add("stays", cron="30 2 1 1 *").command("work", "true", timeout="1m")
schedules.add("{name}", cron="{cron}").command("work", "{command}", timeout="1m")
"""
URL = "sqlite:///leased.db"
AN_HOUR = 3600.0
A_DAY = 86400.0


class Shop:
    """An application whose replicas are entries in the table, on hosts of their own."""

    def __init__(self, folder: Path) -> None:
        migrations.upgrade(URL)
        self.store = Store(URL)
        self.folder = folder
        self._pids = iter(range(101, 200))

    def file(self, name: str, schedule: str = "comes", cron: str = "0 3 1 1 *", command: str = "true") -> Application:
        (self.folder / f"{name}.py").write_text(FILE.format(name=schedule, cron=cron, command=command))
        return load(f"{name}.py")

    def start(self, application: Application, host: str) -> str:
        pid = next(self._pids)
        entry = registry.own_entry(f"h{pid}", application.name, application.digest)
        entry = dataclasses.replace(entry, host=host, pid=pid, boot_id=None)

        def unit(connection: Connection) -> None:
            registry.register(connection, entry)
            bring(connection, application, by=f"{host}:{pid}", holder=entry.holder)
            registry.mark_ready(connection, entry.holder)

        self.store.do(unit)
        self.unseen_for(entry.holder, -AN_HOUR)  # it counts as living however long the test takes
        return entry.holder

    def unseen_for(self, holder: str, seconds: float) -> None:
        self.store.shift(replicas, replicas.c.holder == holder, seen_at=-seconds)


@pytest.fixture
def shop(folder: Path) -> Iterator[Shop]:
    made = Shop(folder)
    yield made
    made.store.engine.dispose()


@pytest.fixture
def old(shop: Shop) -> Application:
    return shop.file("old", "goes")


@pytest.fixture
def new(shop: Shop) -> Application:
    return shop.file("new", "comes")


@pytest.fixture
def edited(shop: Shop) -> Application:
    """The old one with another timing: it retires nothing."""
    return shop.file("edited", "goes", cron="0 4 1 1 *")


@pytest.fixture
def other(shop: Shop) -> Application:
    """Another team's, under the same name."""
    text = FILE.format(name="pays", cron="0 3 1 1 *", command="true").replace('"stays"', '"bills"')
    (shop.folder / "other.py").write_text(text)
    return load("other.py")


def test_the_history_says_who_brought_which_and_who_runs_it_and_what_differs(
    leased: Leased, shop: Shop, old: Application, new: Application
) -> None:
    shop.start(old, "web1")
    shop.start(old, "web2")
    shop.start(dataclasses.replace(new, revision=42), "web3")
    second, first = leased("generations", "--json").document["items"]
    assert (first["number"], first["state"], first["digest"], first["revision"]) == (1, "superseded", old.digest, None)
    assert first["brought_by"] == "web1:101"
    assert first["changes"] == "schedules: 2 added (stays, goes)"
    assert first["superseded_at"] is not None
    assert [(one["host"], one["pid"], one["is_ready"]) for one in first["replicas"]] == [
        ("web1", 101, True),
        ("web2", 102, True),
    ]
    assert first["differs"] == {"renamed": [], "added": ["goes"], "removed": ["comes"], "changed": [], "retimed": []}
    assert (second["number"], second["state"], second["revision"]) == (2, "current", 42)
    assert (second["differs"], second["superseded_at"], second["next"]) == (None, None, None)
    shown = leased("generations").out
    assert "web1:101, web2:102" in shown
    assert leased("generations", "--limit", "1", "--json").document["items"][-1]["number"] == 1, "it lives"
    answer = leased("generations", "--application", "shpo")
    assert (answer.status, answer.err) == (1, 'leased: there is no application "shpo"; did you mean "shop"?\n')


def test_one_screen_shows_those_that_live_beside_each_other(
    leased: Leased, shop: Shop, old: Application, new: Application
) -> None:
    shop.start(old, "web1")
    assert "generation" not in leased("status").out
    assert leased("status", "--json").document["generations"] == []
    holder = shop.start(new, "web2")
    shown = leased("status").out
    assert "web1:101" in shown
    assert "added: goes; removed: comes" in shown
    assert "Generation" not in shown, "nothing comes next as long as both are there"
    shop.unseen_for(holder, 20.0)
    shop.store.shift(replicas, ready_at=-AN_HOUR)
    shop.store.shift(generations, ruled_at=-AN_HOUR)
    said = r"Generation 1 of shop is superseded: it rules in about \d+s unless a replica of generation 2 is ready\."
    assert re.search(said, leased("status").out)


def test_the_time_that_is_told_counts_from_when_the_newer_one_came_to_rule(
    leased: Leased, shop: Shop, old: Application, new: Application
) -> None:
    """Its replicas may have been away before that, as when it is put on top anew."""
    holder = shop.start(new, "web1")
    shop.unseen_for(holder, AN_HOUR + 40.0)
    shop.start(old, "web2")
    leased("sync", "new.py", "--take-over")
    said = "Generation 2 of shop is superseded: it rules in about 1m unless a replica of generation 3 is ready."
    assert said in leased("status").out


def test_what_rules_already_keeps_what_it_changed_when_it_is_put_on_top_once_more(
    leased: Leased, shop: Shop, old: Application
) -> None:
    shop.start(old, "web1")
    (before,) = leased("generations", "--json").document["items"]
    assert leased("sync", "old.py", "--take-over").out == (
        "these definitions are generation 1 already, current\nunchanged: 2 schedules\n"
    )
    (after,) = leased("generations", "--json").document["items"]
    assert (after["changes"], after["ruled_at"]) == (before["changes"], before["ruled_at"])


def test_what_is_staged_is_shown_although_nobody_runs_it(
    leased: Leased, shop: Shop, old: Application, new: Application
) -> None:
    shop.start(old, "web1")
    answer = leased("sync", "new.py")
    assert "these definitions are generation 2, staged" in answer.out
    assert "1 replica on web1 runs generation 1: web1:101" in answer.out
    assert "Generation 2 of shop is staged: it is current from its first ready replica on" in leased("status").out
    (staged, _) = leased("status", "--json").document["generations"]
    assert (staged["number"], staged["state"], staged["replicas"]) == (2, "staged", [])


def test_a_dry_run_names_the_generation_and_who_runs_another_and_writes_nothing(
    leased: Leased, shop: Shop, old: Application, new: Application
) -> None:
    shop.start(old, "web1")
    assert "these definitions are generation 1 already, current" in leased("sync", "old.py", "--dry-run").out
    shown = leased("sync", "new.py", "--dry-run").out
    assert "these definitions would be generation 2, staged because replicas of others are at work" in shown
    assert "1 replica on web1 runs generation 1: web1:101" in shown
    document = leased("sync", "new.py", "--dry-run", "--take-over", "--json").document
    assert document["generation"] == {"number": 2, "is_new": True, "state": "current"}
    assert [(one["number"], one["replicas"][0]["host"]) for one in document["others"]] == [(1, "web1")]
    assert len(leased("generations", "--json").document["items"]) == 1


def test_a_dry_run_of_what_would_only_stand_in_would_retire_nothing(
    leased: Leased, shop: Shop, old: Application, new: Application
) -> None:
    gone = shop.start(dataclasses.replace(new, revision=42), "web1")
    shop.unseen_for(gone, AN_HOUR)
    document = leased("sync", "old.py", "--dry-run", "--json").document
    assert document["generation"] == {"number": 2, "is_new": True, "state": "in lieu"}
    assert "retired" not in {item["change"] for item in document["items"]}
    assert leased("sync", "old.py", "--json").document["items"] == document["items"]


def test_a_sync_says_which_revision_is_missing(leased: Leased, shop: Shop, old: Application, new: Application) -> None:
    shop.start(dataclasses.replace(old, revision=7), "web1")
    assert "it has no revision, and generation 1 has 7" in leased("sync", "new.py").out
    assert "staged" in leased("sync", "new.py", "--revision", "8").out
    answer = leased("sync", "new.py", "--revision", "7")
    assert answer.status == 0, "a lower one than it has"
    shop.file("third", "third")
    answer = leased("sync", "third.py", "--revision", "7")
    assert answer.status == 2
    assert answer.err == (
        f'leased: revision 7 of "shop" already stands for other definitions: generation 1, digest {old.digest[:12]}; '
        "give these a higher revision\n"
    )


@pytest.mark.usefixtures("other")
def test_a_sync_of_another_file_under_the_same_name_is_refused_and_a_dry_run_shows_it_first(
    leased: Leased, shop: Shop, old: Application
) -> None:
    shop.start(old, "web1")
    for options in ((), ("--dry-run",)):
        answer = leased("sync", "other.py", *options)
        assert answer.status == 2
        assert (
            "would retire all that 1 replica on web1 runs: goes, stays. If they are another application" in answer.err
        )
        assert ("would be retired: goes" in answer.out) == bool(options)
    answer = leased("sync", "other.py", "--dry-run", "--json")
    assert {one["schedule"] for one in answer.document["items"] if one["change"] == "retired"} == {"goes", "stays"}
    assert json.loads(answer.err)["error"]["kind"] == "definition"
    assert numbers(leased) == [1]


@pytest.mark.usefixtures("other")
def test_a_take_over_lets_it_through_with_a_warning_and_is_an_act(leased: Leased, shop: Shop, old: Application) -> None:
    shop.start(old, "web1")
    refused = leased("sync", "other.py", "--why", "a new team")
    assert (refused.status, refused.err) == (
        2,
        "leased: --why is recorded with --take-over only; add that, or leave it out\n",
    )
    answer = leased("sync", "other.py", "--take-over", "--why", "a new team", "--by", "ann")
    retired = "generation 2 shares no schedule with generation 1, and retired all of it: goes, stays"
    warning = f"{retired}; if that is meant, acknowledge it with `leased generations 2 --acknowledge`"
    assert (answer.status, answer.err) == (0, f"leased: {warning}\n")
    (act,) = leased("activity", "--act", "take-over", "--json").document["items"]
    assert (act["acted_by"], act["why"], act["effect"]) == ("ann", "a new team", f"generation 2 is current; {retired}")


def problems_of(leased: Leased) -> list[tuple[str, str]]:
    return [(one["kind"], one["text"]) for one in leased("status", "--json").document["problems"]]


def test_a_generation_that_kept_nothing_is_a_problem_until_it_is_acknowledged_also_when_the_old_ones_have_gone(
    leased: Leased, shop: Shop, old: Application, other: Application
) -> None:
    shop.unseen_for(shop.start(old, "web1"), AN_HOUR)
    shop.start(other, "web2")
    ((kind, text),) = problems_of(leased)
    assert kind == "replaced"
    assert "generation 2 of shop (web2:102) shares no schedule with generation 1, and retired all of it: goes, " in text
    assert "`leased generations 2 --acknowledge`" in text
    assert leased("status", "--check").status == 1
    shop.store.shift(schedules, schedules.c.retired_at.is_not(None), retired_at=-6.9 * A_DAY)
    assert len(problems_of(leased)) == 1
    shop.store.shift(schedules, schedules.c.retired_at.is_not(None), retired_at=-7.1 * A_DAY)
    assert problems_of(leased) == []
    shop.store.shift(schedules, schedules.c.retired_at.is_not(None), retired_at=-AN_HOUR)

    answer = leased("generations", "2", "--acknowledge", "--why", "billing has moved in", "--by", "ann")
    assert answer.out.startswith("generation 2 of shop is acknowledged by ann at ")
    assert (problems_of(leased), leased("status", "--check").status) == ([], 0)
    again = leased("generations", "2", "--acknowledge", "--by", "bob")
    assert again.out.startswith("generation 2 of shop was already acknowledged by ann at ")
    (act,) = leased("activity", "--act", "acknowledge", "--json").document["items"]
    assert (act["acted_by"], act["why"]) == ("ann", "billing has moved in")
    assert act["effect"] == "generation 2 replaces all schedules of generation 1"
    (one,) = leased("generations", "2", "--json").document["items"]
    assert (one["replaced"], one["acknowledged_by"], one["replaced_schedules"]) == (1, "ann", [])


def test_it_is_no_problem_any_more_when_those_schedules_are_defined_again(
    leased: Leased, shop: Shop, old: Application, other: Application
) -> None:
    shop.unseen_for(shop.start(old, "web1"), AN_HOUR)
    shop.unseen_for(shop.start(other, "web2"), AN_HOUR)
    leased("sync", "old.py", "--take-over")
    ((_, text),) = (one for one in problems_of(leased) if one[0] == "replaced")
    assert "generation 3 of shop" in text
    assert "shares no schedule with generation 2" in text


@pytest.fixture
def deployed(shop: Shop, old: Application, new: Application) -> None:
    shop.start(old, "web1")
    shop.start(new, "web2")


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("2", "--acknowledge"), 'there is nothing to acknowledge: generation 2 of "shop" did not retire all'),
        (("7", "--acknowledge"), '"shop" has no generation 7; the newest is 2 (`leased generations` lists them)'),
        (("--acknowledge",), "--acknowledge needs the number of a generation, such as"),
        (("2", "--why", "so"), "--why and --by are recorded with --acknowledge only; add that, or leave them out"),
        ((str(2**63), "--acknowledge"), f"write {2**63 - 1} or less"),
        (("7",), "there is no generation 7; the newest is 2 (`leased generations` lists them)"),
    ],
)
def test_what_cannot_be_acknowledged_is_refused_with_a_sentence(
    leased: Leased, arguments: tuple[str, ...], said: str
) -> None:
    answer = leased("generations", *arguments)
    assert answer.status in {1, 2}
    assert said in answer.err


def test_what_an_ordinary_deploy_retires_is_a_line_for_a_day_and_no_problem(
    leased: Leased, shop: Shop, old: Application, new: Application
) -> None:
    shop.start(old, "web1")
    shop.start(new, "web2")
    answer = leased("status", "--check")
    assert answer.status == 0
    assert "Retired in the last day: goes (by generation 2 at " in answer.out
    (one,) = leased("status", "--json").document["retired"]
    assert (one["application"], one["schedule"], one["retired_by"]) == ("shop", "goes", "generation 2")
    shop.store.shift(schedules, schedules.c.retired_at.is_not(None), retired_at=-1.1 * A_DAY)
    assert "Retired" not in leased("status").out


def test_what_is_held_back_by_a_revision_that_nobody_runs_is_a_problem_until_a_take_over(
    leased: Leased, shop: Shop, old: Application, new: Application
) -> None:
    shop.unseen_for(shop.start(dataclasses.replace(old, revision=20261129), "web1"), AN_HOUR)
    shop.start(dataclasses.replace(new, revision=44), "web2")
    ((kind, text),) = problems_of(leased)
    assert kind == "held back"
    assert text == (
        "generation 2 of shop is held back by revision 20261129, which nobody runs; if that revision was a mistake, make "
        "the newer definitions current under their own with `leased sync FILE --take-over`"
    )
    assert leased("sync", "new.py", "--revision", "44", "--take-over").status == 0
    assert problems_of(leased) == []
    second, first = leased("generations", "--json").document["items"]
    assert [(one["revision"], one["counts"], one["state"]) for one in (second, first)] == [
        (44, True, "current"),
        (20261129, False, "superseded"),
    ]


def test_each_command_says_by_which_generation_a_schedule_was_retired(
    leased: Leased, shop: Shop, old: Application, new: Application
) -> None:
    shop.start(old, "web1")
    leased("trigger", "goes")
    shop.start(new, "web2")
    again = leased("trigger", "goes")
    assert (again.status, again.err) == (
        1,
        'leased: the schedule "goes" of "shop" was retired by generation 2; define it again to run it\n',
    )
    assert "goes (shop) was retired by generation 2 at " in leased("runs", "goes").out
    for command in ("show", "logs"):
        assert "goes (shop) was retired by generation 2 at " in leased(command, "1").out
    assert "was retired" not in leased("runs", "comes").out
    assert 'the schedule "goes" of "shop" was retired by generation 2 at ' in leased("pause", "goes").err
    shop.store.shift(replicas, seen_at=-AN_HOUR)
    (waits,) = leased("runs", "goes", "--json").document["items"]
    assert waits["why"]["retired_by"] == "generation 2"
    assert "waits for a replica of generation 1; its schedule was retired by generation 2 at " in waits["why_text"]


@pytest.mark.usefixtures("old")
def test_an_application_that_is_gone_is_retired_and_no_problem_any_more(leased: Leased, shop: Shop) -> None:
    leased("sync", "old.py")
    leased("trigger", "goes")
    assert "`leased retire --application shop`" in dict(problems_of(leased))["no replica"]
    unnamed = leased("retire")
    assert (unnamed.status, unnamed.err) == (
        2,
        "leased: name the application: `leased retire --application NAME`\n",
    )
    answer = leased("retire", "--application", "shop", "--by", "ann")
    assert answer.out == "shop is retired: goes, stays; 1 waiting run cancelled\n"
    assert leased("retire", "--application", "shop").out.startswith("shop is retired already")
    assert "goes (shop) was retired by ann at " in leased("runs", "goes").out
    assert leased("audit").status == 0
    misspelt = leased("retire", "--application", "shpo", "--json")
    assert json.loads(misspelt.err)["error"]["message"] == 'there is no application "shpo"; did you mean "shop"?'


class Terminal:
    """`leased run` at a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "leased", "run", *arguments, "--no-web", "--until-idle"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(theirs)

    def until(self, said: str) -> str:
        heard = b""
        while said.encode() not in heard:
            assert select.select([self._ours], [], [], LIMIT)[0], f"it never said {said!r}"
            try:
                heard += os.read(self._ours, 4096)
            except OSError:  # it has ended
                break
        text = heard.decode()
        assert said in text
        return text

    def rest(self) -> str:
        """Return what it has said since."""
        heard = b""
        while select.select([self._ours], [], [], 0)[0]:
            try:
                heard += os.read(self._ours, 4096)
            except OSError:
                break
        return heard.decode()

    def answer(self, text: str) -> int:
        os.write(self._ours, text.encode())
        return self.end()

    def interrupt(self) -> None:
        """Interrupt it, again if need be: a signal that comes just before it reads what is typed wakes nobody."""
        deadline = time.monotonic() + LIMIT
        while self.process.poll() is None and time.monotonic() < deadline:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2)

    def end(self) -> int:
        """Wait until it has ended, and return its exit status."""
        self.process.communicate(timeout=LIMIT)
        return self.process.returncode

    def close(self) -> None:
        """End it if it has not ended."""
        self.process.kill()
        self.process.communicate()
        os.close(self._ours)


Start = Callable[..., Terminal]


@pytest.fixture
def at_a_terminal(shop: Shop, processes: None) -> Iterator[Start]:
    started: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        started.append(Terminal(shop.folder, *arguments))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


def numbers(leased: Leased) -> list[int]:
    return [one["number"] for one in leased("generations", "--json").document["items"]]


@pytest.mark.usefixtures("edited")
@pytest.mark.parametrize("options", [(), ("--replicas", "2")])
@pytest.mark.sampled(1)
def test_at_a_terminal_it_asks_before_it_supersedes_and_does_nothing_without_a_yes(
    leased: Leased, shop: Shop, old: Application, at_a_terminal: Start, options: tuple[str, ...]
) -> None:
    shop.start(old, "web1")
    shop.start(old, "web2")
    terminal = at_a_terminal("edited.py", *options)
    asked = terminal.until("[y/N]")
    assert "2 replicas on web1, web2 run generation 1 of shop; supersede this?" in asked
    assert terminal.answer("\n") == 1
    assert numbers(leased) == [1]


@pytest.mark.usefixtures("edited")
@pytest.mark.parametrize("key", ["Ctrl-C", "Ctrl-D"])
@pytest.mark.sampled(1)
def test_what_is_said_after_a_question_without_an_answer_is_on_a_line_of_its_own(
    shop: Shop, old: Application, at_a_terminal: Start, key: str
) -> None:
    shop.start(old, "web1")
    terminal = at_a_terminal("edited.py")
    terminal.until("[y/N] ")
    if key == "Ctrl-D":
        assert terminal.answer("\x04") == 1
    else:
        terminal.interrupt()
        assert terminal.end() == 130
    assert terminal.rest().startswith("\r\n")


@pytest.mark.usefixtures("edited")
@pytest.mark.parametrize("how", ["answer", "--yes"])
@pytest.mark.sampled(1)
def test_with_a_yes_it_supersedes(leased: Leased, shop: Shop, old: Application, at_a_terminal: Start, how: str) -> None:
    shop.start(old, "web1")
    terminal = at_a_terminal("edited.py", *(["--yes"] if how == "--yes" else []))
    if how == "answer":
        terminal.until("[y/N]")
        assert terminal.answer("yes\n") == 0
    else:
        assert terminal.end() == 0
    assert numbers(leased) == [2, 1]


@pytest.mark.usefixtures("new")
def test_at_a_terminal_it_takes_a_take_over_to_retire_what_living_replicas_run(
    leased: Leased, shop: Shop, old: Application, at_a_terminal: Start
) -> None:
    shop.start(old, "web1")
    shop.start(old, "web2")
    terminal = at_a_terminal("new.py")
    said = " ".join(terminal.until("--take-over").split())
    assert "2 replicas on web1, web2 run generation 1 of shop; this would retire goes" in said
    assert "[y/N]" not in said
    assert terminal.end() == 1
    assert numbers(leased) == [1]
    assert at_a_terminal("new.py", "--take-over").end() == 0
    assert numbers(leased) == [2, 1]


@pytest.mark.extended
def test_where_it_supersedes_nobody_it_does_not_ask(
    shop: Shop, old: Application, new: Application, at_a_terminal: Start
) -> None:
    shop.start(old, "web1")
    shop.start(new, "web2")
    assert at_a_terminal("new.py").end() == 0
    superseded = at_a_terminal("old.py")
    superseded.until("are superseded by others")
    assert superseded.end() == 1


def test_without_a_terminal_it_goes_on_and_says_so(
    leased: Leased, process: Leased, shop: Shop, old: Application, new: Application
) -> None:
    shop.start(old, "web1")
    answer: Answer = process("run", "new.py", "--until-idle", "--no-web")
    assert answer.status == 0
    assert "1 replica on web1 runs generation 1; these definitions supersede theirs" in answer.out + answer.err
    assert numbers(leased) == [2, 1]
