"""The message that people and programs get is the one that the page shows."""

import json
from datetime import UTC, datetime

import pytest

from daemon.delivery.message import Message
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
