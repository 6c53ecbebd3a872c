"""Each monitor gets the pings that it takes, in its own dialect."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from daemon.delivery.message import Message
from daemon.delivery.monitors import Ping, ping, style_of

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
