"""A replica serves its metrics at the door of its web server, and counts what happens to it."""

import asyncio
import re
import urllib.error
import urllib.request

import pytest

from daemon.service.service import Service
from daemon.service.settings import Settings
from daemon.telemetry.facts import Fact, Note, RunEnded
from daemon.telemetry.notifier import Notifier
from daemon.web.address import WebAddress
from daemon.web.metrics import served
from tests.daemon.service.test_service import Served
from tests.support.manual import a_shop, nothing
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio
TOKEN = "a-token-of-more-than-twenty-characters"


def asked(url: str, token: str | None = TOKEN) -> str:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=LIMIT) as answer:  # noqa: S310 - ours
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return str(answer.read().decode())


async def test_a_run_is_counted_and_only_who_has_the_token_is_told(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "EVERY", 0.0)
    loop = asyncio.get_running_loop()
    ended, at = asyncio.Event(), loop.create_future()

    def take(fact: Fact) -> None:
        if isinstance(fact, Note) and (found := re.fullmatch(r"(http://\S+)/", fact.text)):
            loop.call_soon_threadsafe(at.set_result, found[1])
        if isinstance(fact, RunEnded):
            loop.call_soon_threadsafe(ended.set)

    application = Served(a_shop(nothing), sqlite_url).application
    settings = Settings(database_url=sqlite_url, web_token=TOKEN)  # type: ignore[arg-type]  # read as the command reads it
    with Notifier(take) as notifier:
        web = WebAddress("127.0.0.1", 0, asked=True)
        service = Service(application, settings, notifier, now=["nightly"], web=web)
        serving = asyncio.create_task(service.serve())
        url = f"{await asyncio.wait_for(at, LIMIT)}/metrics"
        await asyncio.wait_for(ended.wait(), LIMIT)
        succeeded = 'leased_runs_total{application="shop",reason="",schedule="nightly",state="succeeded"} 1.0'
        async with asyncio.timeout(LIMIT):
            while succeeded not in (text := await asyncio.to_thread(asked, url)):
                pass  # it is asked again
        assert 'leased_replicas{application="shop",state="alive"} 1.0' in text
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            await asyncio.to_thread(asked, url, None)
        refused.value.close()
        serving.cancel()
        await asyncio.wait({serving})
