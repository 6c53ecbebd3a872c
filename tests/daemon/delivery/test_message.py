"""The message that people and programs get is the one that the page shows."""

import json
from datetime import UTC, datetime

from daemon.delivery.message import Message
from tests.docs.pages import ROOT, blocks


def test_the_page_shows_a_message_as_it_is() -> None:
    (shown,) = blocks(ROOT / "docs" / "reference" / "messages.md", "json")
    text = 'run 7 of nightly failed 2026-06-01 00:00:00Z (now): job "export" failed: exited with status 3'
    at, commands = datetime(2026, 6, 1, 0, 0, 0, 234567, UTC), ("leased logs 7", "leased retry 7")
    assert Message(1, "run.failed", "shop", "nightly", 7, at, text, commands).webhook() == shown.strip()
    assert json.loads(shown)["data"]["folded"] == 0
