"""The page about a job on one host: its programs do what it says."""

import os
import shlex
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

import lease.sync
from tests.docs.pages import ROOT, blocks, run_program, started
from tests.lease.stores import SELDOM
from tests.support.waiting import LIMIT, wait_until

PAGE = ROOT / "docs" / "how-to" / "locks" / "run-a-job-on-one-host.md"
EXPORT, EXPORT_OF_THE_DAY, COMMAND, LEADER = blocks(PAGE, "python")
(CRONTAB,) = blocks(PAGE, "crontab")


@pytest.fixture
def shared_url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LEASED_DATABASE_URL", database_url)
    return database_url


@pytest.mark.parametrize("program", [EXPORT, EXPORT_OF_THE_DAY], ids=["export", "export of the day"])
@pytest.mark.usefixtures("processes")
@pytest.mark.sampled(1)
def test_a_program_runs_or_skips_quietly(program: str, shared_url: str, tmp_path: Path) -> None:
    with lease.sync.LeaseClient(shared_url, timing=SELDOM) as other, other.hold("nightly-export"):
        done = run_program(program, tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    done = run_program(program, tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("exported\n", "", 0)


@pytest.mark.usefixtures("processes", "shared_url")
def test_what_was_exported_today_is_not_exported_again(tmp_path: Path) -> None:
    days = {datetime.now(UTC).date()}
    said = [run_program(EXPORT_OF_THE_DAY, tmp_path).stdout for _ in range(2)]
    days.add(datetime.now(UTC).date())
    assert said[0] == "exported\n"
    assert said.count("exported\n") <= len(days)


@pytest.mark.usefixtures("processes")
def test_a_command_of_a_crontab_runs_or_skips_quietly(
    shared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "pg_dump"
    command.write_text('#!/bin/sh\necho "dumps $*"\nexit 3\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program, *words = shlex.split(CRONTAB)[6:]
    assert f"`{program}`" in PAGE.read_text()
    with lease.sync.LeaseClient(shared_url, timing=SELDOM) as other, other.hold("nightly-dump"):
        done = run_program(COMMAND, tmp_path, after=words)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    done = run_program(COMMAND, tmp_path, after=words)
    assert (done.stdout, done.stderr, done.returncode) == ("dumps --file /backup/shop.sql shop\n", "", 3)


@pytest.mark.usefixtures("processes", "shared_url")
def test_the_next_leads_when_the_leader_has_ended(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(LEADER)
    assert [led(tmp_path), led(tmp_path)] == ["sent in term 1", "sent in term 2"]


def led(folder: Path) -> str:
    """Return what a leader says first, and end it."""
    with started(["program.py"], folder) as (leader, log):
        wait_until(lambda: "\n" in log.read_text(), "it leads")
        leader.send_signal(signal.SIGINT)
        assert leader.wait(LIMIT) != 0
        return log.read_text().splitlines()[0]
