"""`leased notify`: who is notified, and a trial message that says what came back."""

from pathlib import Path

import pytest

from daemon.definitions.values.targets import address_of
from daemon.store.statements import delivery as statements
from daemon.store.statements.delivery import NewDelivery
from tests.support.receiver import Receiver
from tests.support.store import Store

from .conftest import Leased
from .test_answers import valid

FILE = """
application = "shop"
[schedules.nightly]
on_request = true
ping = "https://hc-ping.com/abc"
notify = ["{url}", {{ command = "exit 3" }}]
jobs = [{{ name = "export", command = "true" }}]
[schedules.silent]
on_request = true
jobs = [{{ name = "export", command = "true" }}]
"""


@pytest.mark.usefixtures("processes")
def test_a_trial_goes_to_each_target_and_not_to_the_monitor_and_says_what_came_back(
    leased: Leased, folder: Path, receiver: Receiver
) -> None:
    (folder / "told.toml").write_text(FILE.format(url=receiver.url))
    leased("sync", "told.toml")
    answer = leased("notify", "--test", "nightly")
    host = receiver.url.removesuffix("hook")
    assert (answer.status, answer.out) == (
        1,
        f"{host}…: delivered (200 OK)\nexit 3: failed (exited with status 3)\n",
    )
    assert '"type": "test"' in receiver.bodies[0]
    found = valid(leased("notify", "--test", "nightly", "--json"), "notify-test")
    assert [(one["delivered"], one["text"]) for one in found["items"]] == [
        (True, "200 OK"),
        (False, "exited with status 3"),
    ]
    assert "has no `notify`" in leased("notify", "--test", "silent").err
    assert "there is no schedule" in leased("notify", "--test", "nightl").err
    assert [one["target"] for one in valid(leased("notify", "--json"), "notify")["items"]] == [
        "exit 3",
        "ping https://hc-ping.com/…",
        f"{host}…",
    ]


@pytest.mark.usefixtures("processes")
def test_a_target_that_was_gone_gets_messages_again_after_a_trial_that_it_took(
    leased: Leased, folder: Path, receiver: Receiver
) -> None:
    (folder / "told.toml").write_text(FILE.format(url=receiver.url))
    leased("sync", "told.toml")
    with Store(f"sqlite:///{folder / 'leased.db'}") as store:
        target = address_of({"url": receiver.url})
        store.do(statements.add, "shop", [NewDelivery("nightly", None, "run.failed", target)])
        store.do(statements.end_all, "shop", target, "gone")
        assert "it is gone, and gets no more" in leased("notify").out
        receiver.status = 410
        leased("notify", "--test", "nightly")
        assert store.do(statements.gone, "shop") == {target}
        receiver.status = 200
        leased("notify", "--test", "nightly")
        assert store.do(statements.gone, "shop") == set()
