"""The message that people and programs get is the one that the page shows; each monitor gets its own pings."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from daemon.delivery.message import Message
from daemon.delivery.monitors import Ping, ping, style_of
from tests.docs.pages import ROOT, blocks


def test_the_page_shows_a_message_as_it_is() -> None:
    (shown,) = blocks(ROOT / "docs" / "reference" / "messages.md", "json")
    text = 'run 7 of nightly failed 2026-06-01 00:00:00Z (now): job "export" failed: exited with status 3'
    at, commands = datetime(2026, 6, 1, 0, 0, 0, 234567, UTC), ("leased logs 7", "leased retry 7")
    assert Message(1, "run.failed", "shop", "nightly", 7, at, text, commands).webhook() == shown.strip()
    assert json.loads(shown)["data"]["folded"] == 0


@pytest.mark.parametrize(
    ("run_id", "folded", "page"),
    [(7, 0, "/runs/7"), (None, 0, "/schedules/shop/eu~2Fnightly"), (7, 3, "/")],
    ids=["run", "schedule", "folded"],
)
def test_a_message_links_to_the_page_that_shows_more(run_id: int | None, folded: int, page: str) -> None:
    at, url = datetime(2026, 6, 1, tzinfo=UTC), f"https://leased.example.com{page}"
    of = ("run.failed", "shop", "eu/nightly", run_id, at, "it failed")
    told = Message(1, *of, folded=folded, pages="https://leased.example.com")
    assert json.loads(told.webhook())["data"]["url"] == url
    assert json.loads(told.slack())["text"].endswith(f" <{url}>")
    assert f"page:        {url}\n" in told.mail()
    assert Message(1, *of).url is None


MESSAGE = Message(
    1, "ping.start", "shop", "nightly", 7, datetime(2026, 6, 1, tzinfo=UTC), "run 7 failed", output="…end"
)
RUN = MESSAGE.run_uuid


@pytest.mark.parametrize(
    ("url", "start", "success", "fail"),
    [
        (
            "https://hc-ping.com/abc?create=1",
            Ping(f"https://hc-ping.com/abc/start?create=1&rid={RUN}"),
            Ping(f"https://hc-ping.com/abc?create=1&rid={RUN}"),
            Ping(f"https://hc-ping.com/abc/fail?create=1&rid={RUN}", "run 7 failed\n\n…end".encode()),
        ),
        (
            "https://cronitor.link/p/key/nightly",
            Ping(f"https://cronitor.link/p/key/nightly?state=run&series={RUN}"),
            Ping(f"https://cronitor.link/p/key/nightly?state=complete&series={RUN}"),
            Ping(f"https://cronitor.link/p/key/nightly?state=fail&series={RUN}&message=run+7+failed"),
        ),
        (
            "https://o1.ingest.us.sentry.io/api/1/cron/nightly/key/",
            Ping(f"https://o1.ingest.us.sentry.io/api/1/cron/nightly/key/?status=in_progress&check_in_id={RUN}"),
            Ping(f"https://o1.ingest.us.sentry.io/api/1/cron/nightly/key/?status=ok&check_in_id={RUN}"),
            Ping(f"https://o1.ingest.us.sentry.io/api/1/cron/nightly/key/?status=error&check_in_id={RUN}"),
        ),
        ("https://nosnch.in/abc", None, Ping("https://nosnch.in/abc"), None),
        ("https://nothc-ping.com/abc", None, Ping("https://nothc-ping.com/abc"), None),
    ],
)
def test_a_monitor_is_told_by_its_host_what_it_takes(
    url: str, start: Ping | None, success: Ping | None, fail: Ping | None
) -> None:
    style = style_of({"url": url}, url)
    kinds = ("ping.start", "ping.success", "ping.fail")
    assert [ping(style, url, replace(MESSAGE, kind=kind)) for kind in kinds] == [start, success, fail]


def test_the_pings_of_a_run_belong_together_also_when_its_schedule_is_renamed_meanwhile() -> None:
    assert replace(MESSAGE, schedule="night").run_uuid == RUN
    assert replace(MESSAGE, run_id=8).run_uuid != RUN


def test_a_style_that_is_given_counts_and_output_keeps_its_end_within_what_the_monitor_takes() -> None:
    url = "https://hc.example.com/abc"
    style = style_of({"url": url, "style": "healthchecks"}, url)
    told = ping(style, url, replace(MESSAGE, kind="ping.fail", output="é" * 9_000 + "the end"), 1_000)
    assert told is not None
    assert told.body is not None
    assert len(told.body) == 1_000
    assert told.body.endswith(b"the end")
