"""The way in: version, help, interruption, and python-daemon, which has the same import name."""

import json
import re
from pathlib import Path

import pytest

from daemon.cli.app import _OTHERS

from .conftest import ROOT, Leased


def test_the_version(process: Leased) -> None:
    answer = process("--version")
    assert answer.status == 0
    assert answer.out.startswith("leased ")


@pytest.mark.parametrize("group", [(), ("db",), ("import",)], ids=" ".join)
def test_without_a_command_there_is_help(leased: Leased, group: tuple[str, ...]) -> None:
    answer = leased(*group)
    assert answer.status == 2
    assert answer.err.startswith("Usage: leased ")
    assert "\nCommands:\n" in answer.err


@pytest.mark.parametrize("command", [(), ("run",), ("db",), ("db", "upgrade"), ("import", "crontab")])
def test_h_is_help(leased: Leased, command: tuple[str, ...]) -> None:
    answer = leased(*command, "-h")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith(f"Usage: {' '.join(('leased', *command))} ")


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        ("list", "did you mean `leased status` or `leased runs`?"),
        ("stop", "did you mean `leased cancel` or `leased pause`?"),
        ("Log", "did you mean `leased logs`?"),
        ("migrate", "did you mean `leased db upgrade`?"),
        ("statsu", "did you mean `leased status`?"),
        ("zzz", "see `leased --help`"),
    ],
)
def test_a_command_by_another_name_is_answered_with_its_own(leased: Leased, typed: str, remedy: str) -> None:
    answer = leased(typed, "nightly", "--json")
    assert (answer.status, answer.out) == (2, "")
    assert f'there is no command "{typed}"; {remedy}' in json.loads(answer.err)["error"]["message"]


def test_what_is_meant_by_another_name_exists(leased: Leased) -> None:
    for command in _OTHERS:
        assert leased(*command.split(), *(() if command.startswith("-") else ("--help",))).status == 0


def test_commands_of_later_are_not_in_the_help(leased: Leased) -> None:
    answer = leased("--help")
    assert answer.status == 0
    assert "trigger" in answer.out
    assert not re.search(r"^ +lock\b", answer.out, re.MULTILINE)


@pytest.mark.usefixtures("processes")
def test_interruption_is_130(leased: Leased, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("daemon.service.outside.file_check.load", interrupted)
    answer = leased("check", "shop.py")
    assert (answer.status, answer.err) == (130, "")


def test_beside_python_daemon_it_ends_with_one_sentence(process: Leased, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "python_daemon-3.1.2.dist-info").mkdir(parents=True)
    (site / "python_daemon-3.1.2.dist-info" / "METADATA").write_text("Name: python-daemon\nVersion: 3.1.2\n")
    answer = process("status", PYTHONPATH=f"{ROOT}:{site}")
    assert answer.status == 1
    assert answer.err == (
        "leased: python-daemon is installed in this environment, and its package is called `daemon` too; "
        "install leased in an environment of its own\n"
    )


def test_another_daemon_that_hides_ours_is_told_in_one_sentence(process: Leased, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "daemon").mkdir(parents=True)
    (site / "daemon" / "__init__.py").write_text("raise SystemExit('never imported')")
    answer = process("status", PYTHONPATH=f"{site}:{ROOT}")
    assert answer.status == 1
    assert answer.err.startswith("leased: another module `daemon` hides that of leased")
    assert answer.err.count("\n") == 1
