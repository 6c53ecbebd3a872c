"""Notices say what they are about on the channel of their application, and a publisher sends few of them."""

import pytest

from daemon.execution import context
from daemon.execution.context import Publisher
from daemon.store.notices import WORK, Notice, channel_of, parse_notice
from daemon.testing import ManualStore
from lease.errors import StoreUnavailable
from tests.support.manual import ONE_O_CLOCK


@pytest.mark.parametrize("notice", [WORK, Notice("definitions"), Notice("alive"), Notice("cancel", 17)])
def test_a_notice_is_read_as_it_was_sent(notice: Notice) -> None:
    assert parse_notice(str(notice)) == notice


@pytest.mark.parametrize("payload", ["", "check", "works", "WORK", "\N{BELL}"])
def test_what_somebody_else_says_is_none(payload: str) -> None:
    assert parse_notice(payload) is None


@pytest.mark.parametrize("payload", ["cancel", "cancel x", "cancel -1", f"cancel {9:0>5000}"])
def test_a_cancel_of_nothing_is_of_no_run(payload: str) -> None:
    notice = parse_notice(payload)
    assert notice is not None
    assert notice.run_id is None


def test_a_channel_is_a_name_in_sql_however_long_that_of_the_application_is() -> None:
    names = ["shop", "Shop", "sh-op.1", "x" * 200]
    channels = {channel_of(name) for name in names}
    assert len(channels) == len(names)
    assert all(len(channel) <= 63 and channel.isidentifier() and channel.islower() for channel in channels)


@pytest.mark.anyio
async def test_what_is_said_while_a_notice_is_on_its_way_goes_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = list[str]()
    monkeypatch.setattr(context, "notify", lambda _, application, notice: sent.append(f"{application}: {notice}"))
    async with ManualStore(ONE_O_CLOCK) as store:
        one = Publisher(store, "shop")
        monkeypatch.setattr(one, "_listens", True)
        for _ in range(100):
            one.say_work()
        await one.finish()
        assert sent == ["shop: work"]
        one.has_audience = False
        one.say_work()
        await one.finish()
        assert sent == ["shop: work"], "nobody is there to hear"


@pytest.mark.anyio
async def test_a_notice_that_cannot_be_sent_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unavailable(*_: object) -> None:
        raise StoreUnavailable("away")

    async with ManualStore(ONE_O_CLOCK) as store:
        monkeypatch.setattr(store, "read", unavailable)
        one = Publisher(store, "shop")
        monkeypatch.setattr(one, "_listens", True)
        one.say_work()
        one.say_released("warehouse")
        await one.finish()
