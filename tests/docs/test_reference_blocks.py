"""The blocks of Python in the reference of the library and of jobs, and in the README, do what they say, in this process."""

import asyncio
import os
import textwrap
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

import lease
from daemon import Run, Schedules
from daemon.definitions.sources.load import load
from daemon.telemetry.facts import RunEnded, RunSubject
from daemon.telemetry.notifier import GROUP
from daemon.testing import run_once
from tests.docs.pages import ROOT, blocks
from tests.support.waiting import LIMIT

CLIENT, FENCE, BREAK, TIMING, TABLES, TESTS = blocks(ROOT / "docs" / "reference" / "library.md", "python")
(WATCH,) = blocks(ROOT / "docs" / "reference" / "facts.md", "python")
(ENTRY_POINT,) = blocks(ROOT / "docs" / "reference" / "facts.md", "toml")
LOADED, GRANT = blocks(ROOT / "docs" / "reference" / "jobs.md", "python")


def run(block: str, **names: Any) -> dict[str, Any]:
    """Run a block, as the body of an async function if it awaits, and return its names."""
    names = {"lease": lease, **names}
    if "await " in block or "async with" in block:
        exec(f"async def block():\n{textwrap.indent(block, '    ')}", names)  # noqa: S102 - a page of ours
        asyncio.run(names["block"]())
    else:
        exec(block, names)  # noqa: S102 - as above
    return names


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'leased.db'}"


def test_a_client_is_opened_async_and_sync(url: str) -> None:
    addresses = ("postgresql://leased@db.example.org/shop", "sqlite:///leased.db")
    assert all(address in CLIENT for address in addresses)
    run(CLIENT.replace(addresses[0], url).replace(addresses[1], url))


def test_a_fence_is_in_force_for_a_lease_and_for_its_bare_grant(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_engine(url)
    with lease.sync.LeaseClient(url) as client, client.hold("report") as held:
        run(FENCE, engine=engine, held=held)
        for name, value in (("NAME", held.name), ("TOKEN", str(held.token)), ("HOLDER", held.holder)):
            monkeypatch.setenv(f"LEASE_{name}", value)
        assert run(GRANT, engine=engine, os=os)["grant"] == held.grant
    with pytest.raises(lease.LeaseLost):
        run(GRANT, engine=engine, os=os)
    engine.dispose()


@pytest.mark.usefixtures("passing_seconds")
def test_a_broken_lease_says_by_whom_and_why(url: str) -> None:
    with lease.sync.LeaseClient(url, timing=lease.LeaseTiming(renew_every="0.2s")) as holder:
        held = holder.acquire("daily-report")
        run(f"async with lease.LeaseClient({url!r}) as client:\n{textwrap.indent(BREAK, '    ')}")
        assert held.lost.wait(LIMIT)
        assert held.loss is not None
        assert (held.loss.kind, "anna" in held.loss.cause) == ("broken", True)
        assert "it hangs in the export" in held.loss.cause


def test_the_other_durations_scale_with_the_ttl_as_the_comments_say() -> None:
    run(TIMING)
    assert (lease.LeaseTiming("30s").renew_every, lease.LeaseTiming("1d").renew_every) == (5, 4 * 3600)
    assert (lease.LeaseTiming("1d").attempt_timeout, lease.LeaseTiming("1d").kill_time) == (5, 10)


def test_the_tables_are_created(url: str) -> None:
    engine = create_engine(url)
    run(TABLES + TABLES, engine=engine)
    engine.dispose()


def test_the_test_that_is_shown_passes() -> None:
    run(TESTS)


def test_a_value_at_the_top_of_file_is_older_than_one_in_a_function() -> None:
    names = run(LOADED, date=date, Run=Run, nightly=Schedules("shop").add("nightly", cron="0 2 * * *"))
    assert names["TODAY"] == date.today()  # noqa: DTZ011 - as the page has it


def test_the_subscriber_that_is_shown_notes_a_failed_run() -> None:
    names = run(WATCH)
    subscriber = names["schedules"].on_fact
    for outcome in ("failed", "succeeded"):
        subscriber(RunEnded(RunSubject("shop", "nightly", 1, 1, "web1:4711"), outcome, "it said no"))
    assert names["failed"] == ["nightly: it said no"]


def test_the_entry_point_that_is_shown_is_in_the_group_that_is_read() -> None:
    assert GROUP in tomllib.loads(ENTRY_POINT)["project"]["entry-points"]


README = ROOT / "README.md"


def test_the_program_is_due_as_the_file_and_prints_what_it_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (in_toml,), (program, _) = blocks(README, "toml"), blocks(README, "python")
    schedules = []
    for name, text in (("shop.toml", in_toml), ("shop.py", program)):
        (tmp_path / name).write_text(text)
        (schedule,) = load(tmp_path / name).schedules
        schedules.append((schedule.name, schedule.trigger, schedule.timezone, schedule.jobs[0].timeout))
    assert schedules[0] == schedules[1]
    names: dict[str, Any] = {"__name__": "shop"}
    exec(program, names)  # noqa: S102 - of our own page
    assert run_once(names["schedules"], "report", at="2026-06-01T00:00:00Z").state == "succeeded"
    assert capsys.readouterr().out == "report of 2026-06-01, attempt 1, token 1\n"
