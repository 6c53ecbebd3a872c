"""A replica's facts as log lines."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
import structlog

from daemon.states import Settlement
from daemon.telemetry import logs
from daemon.telemetry.fact_log import log_fact, log_fact_or_output, log_lease_event
from daemon.telemetry.facts import (
    Fact,
    JobEnded,
    JobStarted,
    LeaseChanged,
    RunCancelled,
    RunEnded,
    RunLate,
    RunLong,
    RunRecovered,
    RunStarted,
    RunSubject,
    TimesSkipped,
)
from daemon.telemetry.logs import flush_logs, set_up_logs
from daemon.telemetry.notifier import Notifier
from daemon.telemetry.sentences import sentence
from daemon.text import ago, clean, lasted, number
from lease.events import AtRisk, Event, Granted, Lost, Renewed
from lease.model import Grant, Loss, LossKind
from tests.daemon.telemetry.told import JOB, RUN, told

LogLevel = Literal["debug", "info", "warning"]
GRANT = Grant("run/shop/nightly", 3, "h")


Logged = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Logged]:
    """Log facts from a level on, and return the lines."""
    root = logging.getLogger()
    before = list(root.handlers), root.level

    def lines(level: LogLevel, *facts: Any, log: Callable[[Any], object] = log_fact) -> list[dict[str, Any]]:
        set_up_logs("json", level)
        for fact in facts:
            log(fact)
        flush_logs()
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    yield lines
    root.handlers[:], root.level = before


def test_facts_are_log_lines_as_json(logged: Logged) -> None:
    lines = logged("debug", *told())
    assert [line["message"] for line in lines] == [
        "run started",
        "job started",
        "output",
        "job failed",
        "run failed",
        "bye",
    ]
    assert [line["level"] for line in lines] == ["debug", "debug", "debug", "warning", "warning", "warning"]
    assert (lines[3]["job"], lines[3]["error"], lines[4]["reason"]) == ("zones", "ValueError: oh", "zones failed")
    assert (lines[3]["schedule"], lines[3]["run"], lines[3]["attempt"], lines[3]["token"]) == ("nightly", 7, 2, 3)
    assert lines[0]["timestamp"].endswith("Z")


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("format_", ["text", "json"])
def test_whatever_a_job_says_its_line_is_one_line_and_printable(
    capsys: pytest.CaptureFixture[str], format_: Literal["text", "json"]
) -> None:
    """It could move the cursor, pass for another line, or turn its direction."""
    hostile = "\x1b[2J\x9b31m\r\n2026-01-01 [info] run succeeded\u2028\u202e<script>\udcff"
    set_up_logs(format_, "debug")
    log_fact(RunEnded(RUN, "failed", hostile, 1.0))
    log_fact(JobEnded(JOB, "failed", 1.0, hostile))
    flush_logs()
    written = capsys.readouterr().err
    assert len(written.splitlines()) == written.count("\n") == 2
    assert [letter for letter in written if letter != "\n" and not letter.isprintable()] == []


def test_in_a_program_that_sees_to_its_logging_itself_the_values_are_in_the_message_and_beside_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_is_set_up", False)
    caplog.set_level(logging.INFO, "leased")
    with structlog.testing.capture_logs() as through_structlog:
        for fact in told():
            log_fact(fact)
    flush_logs()  # where an earlier test has set logs up, or the next one would find these lines
    assert through_structlog == [], "whatever the program does with it"
    assert [record.getMessage() for record in caplog.records] == [
        "job failed schedule=nightly job=zones run=7 attempt=2 token=3 took=1.5s error='ValueError: oh'",
        "run failed schedule=nightly run=7 token=3 took=2s reason='zones failed'",
        "bye",
    ]
    assert {record.name for record in caplog.records} == {"leased"}
    assert caplog.records[0].__dict__["leased"] == {
        "schedule": "nightly",
        "job": "zones",
        "run": 7,
        "attempt": 2,
        "token": 3,
        "took": "1.5s",
        "error": "ValueError: oh",
    }


@pytest.mark.usefixtures("logged")
def test_each_line_names_the_replica_that_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json", "info", "web1:4711")
    for fact in told():
        log_fact(fact)
    logging.getLogger("leased.job").info("fetched")
    flush_logs()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {line["replica"] for line in lines} == {"web1:4711"}
    set_up_logs("text", "info")
    log_fact(told()[-1])
    flush_logs()
    assert "replica" not in capsys.readouterr().err


def test_lines_of_output_are_log_lines_of_their_own_on_request(logged: Logged) -> None:
    lines = logged("info", *told(), log=log_fact_or_output)
    assert [line["message"] for line in lines][:2] == ["output", "job failed"]
    shown = {name: lines[0][name] for name in ("level", "run", "schedule", "job", "attempt")}
    assert shown == {"level": "info", "run": 7, "schedule": "nightly", "job": "zones", "attempt": 2}
    assert lines[0]["line"]


def test_a_run_that_goes_well_is_one_line(logged: Logged) -> None:
    """Four lines a run were 1.6 GB a day at 50 runs a second."""
    ends = JobEnded(JOB, "succeeded", 1.5, None), RunEnded(RUN, "succeeded", None, 2.0)
    (line,) = logged("info", RunStarted(RUN), JobStarted(JOB), *ends)
    assert (line["message"], line["run"], line["token"], line["took"]) == ("run succeeded", 7, 3, "2s")


@pytest.mark.parametrize(
    ("settlement", "gone", "said"),
    [
        ("abandoned", True, "is gone"),
        ("failed", True, "is gone"),
        ("abandoned", False, "has not been seen since its lease ended"),
        ("failed", False, "has not been seen since its lease ended"),
        ("stopped", False, "is alive but had lost its lease"),
    ],
)
def test_only_of_a_replica_that_is_gone_it_is_said_that_it_is_gone(
    settlement: Settlement, gone: bool, said: str
) -> None:
    run = RunSubject("shop", "nightly", 7, 3, "web1:4711")
    expected = f'run 7 of "nightly" was recovered from a replica that {said} (token 3): {settlement}'
    assert sentence(RunRecovered(run, settlement, gone=gone, lived="alive" in said)) == expected


def test_a_run_that_is_late_to_finish_or_takes_long_is_a_warning(logged: Logged) -> None:
    at_work, waits, long = logged(
        "warning",
        RunLate("shop", "nightly", 7, "running", datetime(2026, 7, 1, 6, tzinfo=UTC)),
        RunLate("shop", "nightly", 8, "pending", datetime(2026, 7, 1, 6, tzinfo=UTC)),
        RunLong("shop", "nightly", 9, "emergency", 3060.0, 3000.0),
    )
    assert (at_work["level"], at_work["run"], at_work["schedule"]) == ("warning", 7, "nightly")
    assert at_work["message"] == 'run 7 of "nightly" should have succeeded by 2026-07-01 06:00:00Z: it is still running'
    assert waits["message"].endswith("2026-07-01 06:00:00Z: it is still waiting")
    assert (long["level"], long["severity"], long["run"]) == ("warning", "emergency", 9)
    assert long["message"] == 'run 9 of "nightly" has been running for 51m, which is an emergency (over 50m)'


def test_a_cancelled_run_is_logged_with_who_and_why_when_it_is_heard_and_when_it_has_ended(logged: Logged) -> None:
    told = RunCancelled(RUN, "bob", "it hangs"), RunCancelled(RUN, "bob", None)
    heard, brief, ended = logged("info", *told, RunEnded(RUN, "cancelled", "cancelled by bob: it hangs"))
    assert (heard["level"], heard["message"]) == ("info", "run is cancelled: stopping its job")
    assert (heard["run"], heard["by"], heard["why"], "why" in brief) == (7, "bob", "it hangs", False)
    assert (ended["level"], ended["message"], ended["reason"]) == (
        "info",
        "run cancelled",
        "cancelled by bob: it hangs",
    )


def test_lease_events_are_log_lines_by_their_gravity(logged: Logged) -> None:
    lines = logged(
        "info",
        Renewed((GRANT,), 9.5, 0.01),
        AtRisk((GRANT,), "database unreachable", 4.0),
        AtRisk((GRANT,), "database unreachable", 3.5, again=True),
        Lost(Loss(GRANT, LossKind.ENDED, "stolen by x with token 4")),
        log=log_lease_event,
    )
    assert [(line["level"], line["message"]) for line in lines] == [
        ("warning", "leases at risk"),
        ("warning", "lease lost"),
    ]
    assert (lines[0]["names"], lines[0]["remaining"]) == ([GRANT.name], 4.0)
    assert (lines[1]["lease"], lines[1]["token"], lines[1]["cause"]) == (GRANT.name, 3, "stolen by x with token 4")


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_the_log_lacks_nothing_that_its_level_asks_for(
    level: LogLevel, logged: Logged, capsys: pytest.CaptureFixture[str]
) -> None:
    """Most facts are not even queued for it."""
    lost = Loss(GRANT, LossKind.ENDED, "stolen by x with token 4")
    of_leases: list[Event] = [Granted(GRANT), Renewed((GRANT,), 9.5, 0.01), AtRisk((GRANT,), "away", 4.0), Lost(lost)]
    went_well: list[Fact] = [JobEnded(JOB, "succeeded", 1.0, None), RunEnded(RUN, "succeeded", None, 1.0)]
    skipped = TimesSkipped("shop", "nightly", "missed", 3)
    facts: list[Fact] = [*told(), *went_well, *map(LeaseChanged, of_leases), skipped]
    directly = [line["message"] for line in logged(level, *facts)]
    with Notifier(log_fact) as notifier:
        for fact in facts:
            notifier.notify(fact)
    flush_logs()
    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == directly


@pytest.mark.usefixtures("logged")
def test_libraries_log_through_the_same_formatter(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("text", "info")
    logging.getLogger("leased.job").info("fetched %s", 3, extra={"job": "zones"})
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")
    flush_logs()
    (line,) = capsys.readouterr().err.splitlines()
    assert "fetched 3" in line
    assert "job=zones" in line


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("format_", ["text", "json"])
def test_an_exception_is_logged_without_local_variables_which_may_be_secrets(
    capsys: pytest.CaptureFixture[str], format_: Literal["text", "json"]
) -> None:
    def sign_in(password: str) -> None:
        raise ValueError(f"{len(password)} letters are too few")

    set_up_logs(format_, "info")
    try:
        sign_in("hunter" + "2")
    except ValueError:
        logging.getLogger("leased.job").exception("failed")
    flush_logs()
    written = capsys.readouterr().err
    assert "sign_in" in written
    assert "7 letters are too few" in written
    assert "hunter2" not in written


def test_texts_for_people() -> None:
    assert clean("a\x1b[2Jb\nc") == "a [2Jb c"
    assert clean("a\nb\tc\x07", lines=True) == "a\nb\tc "
    assert [number(12345), number(0.5)] == ["12,345", "0.50"]
    assert [ago(None), ago(0.2), ago(65), ago(-65)] == ["", "now", "1m5s ago", "in 1m5s"]
    assert [lasted(None), lasted(1.234), lasted(12.34)] == ["", "1.23s", "12.3s"]
