"""What a job is given (rules 2, 11 and 16)."""

import logging
import sqlite3
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import anyio
import pytest

import lease
from daemon.jobs.brief import Brief, idempotency_key
from daemon.jobs.reports import Failure, FileChanged, Progress, parse_report
from daemon.jobs.run import AsyncRun, Run
from lease.clock import boottime
from lease.errors import LeaseLost
from lease.model import Grant

WHEN = datetime(2026, 3, 29, 2, 0, tzinfo=UTC)
BRIEF = Brief(
    application="shop",
    schedule="nightly",
    scheduled_for=WHEN,
    run_id=7,
    job="customers",
    attempt=2,
    params={"region": "ä", "n": [1, 2]},
    idempotency_key=idempotency_key("shop", "nightly", WHEN, "customers"),
    grant=Grant("run/shop/nightly", 41, "holder-1"),
    source="schedules.py",
    file="schedules.py",
    stamp="",
    digest="",
)


def run(*, trusted_for: float = 60) -> Run:
    until = boottime() + trusted_for
    return Run(BRIEF, lambda: until, print)


def test_a_brief_survives_its_json() -> None:
    assert Brief.from_json(BRIEF.to_json(), BRIEF.params) == BRIEF


def test_a_command_gets_its_attempt_and_what_a_fence_needs() -> None:
    assert BRIEF.environment() == {
        "LEASED_SCHEDULE": "nightly",
        "LEASED_SCHEDULED_FOR": "2026-03-29T02:00:00Z",
        "LEASED_RUN": "7",
        "LEASED_ATTEMPT": "2",
        "LEASED_IDEMPOTENCY_KEY": BRIEF.idempotency_key,
        "LEASE_NAME": "run/shop/nightly",
        "LEASE_TOKEN": "41",
        "LEASE_HOLDER": "holder-1",
    }


def test_the_idempotency_key_is_that_of_occurrence_and_job() -> None:
    key = idempotency_key("shop", "nightly", WHEN, "customers")
    assert key == idempotency_key("shop", "nightly", WHEN.astimezone(timezone(timedelta(hours=5))), "customers")
    others = [
        idempotency_key("shop", "nightly", WHEN + timedelta(days=1), "customers"),
        idempotency_key("shop", "nightly", WHEN, "orders"),
        idempotency_key("shop", "nightly", 7, "customers"),
        idempotency_key("shop", "nightly-", WHEN, "customers"),
        idempotency_key("shopnightly", "", WHEN, "customers"),
    ]
    assert len({key, *others}) == 6


def test_a_run_tells_what_its_brief_says() -> None:
    given = run()
    assert (given.schedule, given.scheduled_for, given.attempt, given.token) == ("nightly", WHEN, 2, 41)
    assert (given.params, given.idempotency_key) == (BRIEF.params, BRIEF.idempotency_key)


def test_ensure_passes_while_trust_lasts_long_enough() -> None:
    run(trusted_for=60).ensure()
    run(trusted_for=60).ensure(at_least="30s")
    run(trusted_for=60).ensure(30)


def test_ensure_raises_when_trust_does_not_last_long_enough() -> None:
    with pytest.raises(LeaseLost, match=r"can be trusted for another \d\.\ds, but 60s are needed"):
        run(trusted_for=5).ensure(at_least="1m")


def test_ensure_sees_each_new_end_of_trust() -> None:
    until = [boottime() - 1]
    given = AsyncRun(BRIEF, lambda: until[0], print)
    with pytest.raises(LeaseLost, match=r"lease 'run/shop/nightly' \(token 41\) can no longer be trusted"):
        given.ensure()
    until[0] += 60
    given.ensure()


def test_log_lines_know_their_job(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run().log.info("read %d rows", 5)
    (record,) = caplog.records
    assert record.getMessage() == "read 5 rows"
    assert (vars(record)["schedule"], vars(record)["job"], vars(record)["run_id"]) == ("nightly", "customers", 7)


@pytest.fixture
def fenced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Grant]]:
    """A fence that takes sqlite3's connections, and awaits whatever else."""
    seen: list[tuple[Any, Grant]] = []

    def fence(connection: Any, grant: Grant, *, home: str | None, identity: str | None) -> Awaitable[None] | None:
        if isinstance(connection, sqlite3.Connection):
            seen.append((connection, grant))
            return None

        async def later() -> None:
            seen.append((connection, grant))

        return later()

    monkeypatch.setattr(lease, "fence", fence, raising=False)
    return seen


def test_a_fence_is_that_of_the_grant(fenced: list[tuple[Any, Grant]]) -> None:
    connection = sqlite3.connect(":memory:")
    run().fence(connection)
    assert fenced == [(connection, BRIEF.grant)]
    connection.close()


def test_a_function_that_fences_an_async_connection_is_told_so(fenced: list[tuple[Any, Grant]]) -> None:
    with pytest.raises(TypeError, match="must be awaited: make the job an async function"):
        run().fence(object())
    assert fenced == []


def test_an_async_run_fences_both_kinds(fenced: list[tuple[Any, Grant]]) -> None:
    given = AsyncRun(BRIEF, lambda: 0.0, print)
    connection, other = sqlite3.connect(":memory:"), object()

    async def job() -> None:
        given.fence(connection)
        assert len(fenced) == 1
        await given.fence(connection)
        await given.fence(other)

    anyio.run(job)
    assert [seen[0] for seen in fenced] == [connection, connection, other]
    connection.close()


@pytest.mark.parametrize("line", [b"", b"null", b"{", b'{"progress": {"done": "x"}}', b'{"error": 1}', b"\xff"])
def test_what_is_no_report_is_passed_over(line: bytes) -> None:
    assert parse_report(line) is None


def test_reports_are_read() -> None:
    assert parse_report(b'{"progress": {"done": 1, "total": null, "message": null}}') == Progress(1)
    assert parse_report(b'{"error": "x"}') == Failure("x")
    assert parse_report(b'{"changed": "x"}') == FileChanged("x")
