"""One attempt to deliver a message: what counts as delivered, how long it takes at most, and what it gives away."""

import asyncio
import base64
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from daemon.definitions.values.targets import MessageStyle, address_of
from daemon.delivery import sending
from daemon.delivery.message import Message
from daemon.delivery.sending import Reply, Sender
from daemon.text import target_text
from tests.support.receiver import Receiver
from tests.support.waiting import wait_until

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
HOSTILE = 'it said <script> & \x1b[31m\u202e\0 "$(id)" `id`\nand more'
MESSAGE = Message(1, "run.failed", "shop", "nightly", 7, datetime(2026, 6, 1, tzinfo=UTC), HOSTILE, ("leased logs 7",))


def sent(target: Mapping[str, Any], message: Message = MESSAGE, folder: Path = Path(), **environment: Any) -> Reply:
    environment = {"PATH": "/usr/bin:/bin", **environment}
    return asyncio.run(Sender(environment, folder).send(target, message))


def test_a_webhook_is_signed_as_the_reference_library_verifies_and_has_the_same_id_each_time(
    receiver: Receiver, tmp_path: Path
) -> None:
    target = {"url_env": "OPS_URL", "secret_env": "OPS_SECRET"}
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    assert sent(target, OPS_URL=receiver.url, OPS_SECRET=SECRET).delivered
    assert sent(target, OPS_URL=receiver.url, OPS_SECRET_FILE=str(tmp_path / "secret")).delivered
    first, second = receiver.requests
    data = Webhook(SECRET).verify(first.body, dict(first.headers))
    assert Webhook(SECRET).verify(second.body, dict(second.headers)) == data
    assert data["type"] == "run.failed"
    assert data["data"]["run_id"] == 7
    assert {request.headers["webhook-id".title()] for request in receiver.requests} == {MESSAGE.id}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(first.body.replace("nightly", "hourly"), dict(first.headers))
    sent(target, replace(MESSAGE, number=2), OPS_URL=receiver.url, OPS_SECRET=SECRET)
    assert receiver.requests[-1].headers["Webhook-Id"] != MESSAGE.id


@pytest.mark.parametrize(
    ("status", "headers", "reply"),
    [
        (204, {}, Reply(True, "204 No Content")),
        (302, {"Location": "/elsewhere"}, Reply(False, "302 Found: redirects are not followed")),
        (410, {}, Reply(False, "410 Gone", gone=True)),
        (429, {"Retry-After": "120"}, Reply(False, "429 Too Many Requests", after=120.0)),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, Reply(False, "503 Service Unavailable", after=0.0)),
        (500, {"Retry-After": "soon"}, Reply(False, "500 Internal Server Error")),
    ],
    ids=["204", "302", "410", "429", "503", "500"],
)
def test_only_2xx_counts_and_no_redirect_is_followed(
    receiver: Receiver, status: int, headers: dict[str, str], reply: Reply
) -> None:
    receiver.status, receiver.headers = status, headers
    assert sent({"url": receiver.url}) == reply
    assert len(receiver.requests) == 1


def test_a_server_that_breaks_off_is_silent_or_is_not_there_is_told_and_holds_nothing_up(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.status = 0
    assert not sent({"url": receiver.url}).delivered
    receiver.may_answer.clear()  # it says nothing until it may
    with monkeypatch.context() as impatient:
        impatient.setattr(sending, "PATIENCE", 0.2)
        assert sent({"url": receiver.url}) == Reply(False, "it did not answer within 0.2s")
    receiver.may_answer.set()
    assert sent({"url": "http://127.0.0.1:1/secret"}) == Reply(False, "Connection refused")


@pytest.mark.usefixtures("processes")
def test_a_command_reads_the_message_and_nothing_of_it_reaches_a_shell(tmp_path: Path) -> None:
    command = 'cat > message; printf "%s" "$LEASED_MESSAGE" > subject'
    assert sent({"command": command}, folder=tmp_path) == Reply(True, "exited with status 0")
    sentence = (tmp_path / "subject").read_text()
    assert sentence == 'it said <script> & [31m "$(id)" `id` and more'
    assert (tmp_path / "message").read_text().startswith(f"{sentence}\n\nkind:        run.failed\n")
    assert "see also:    leased logs 7\n" in (tmp_path / "message").read_text()
    assert sent({"command": ["/bin/sh", "-c", "echo no mail >&2; exit 4"]}) == Reply(
        False, "exited with status 4: no mail"
    )
    assert sent({"command": ["/nowhere/mail"]}) == Reply(False, "No such file or directory")


@pytest.mark.usefixtures("processes")
def test_a_command_that_does_not_end_is_killed_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "COMMAND_PATIENCE", 0.5)
    pid = tmp_path / "pid"
    command = f"sleep 600 & echo $! > {pid}; wait"
    assert sent({"command": command}) == Reply(False, "it did not answer within 0.5s")
    wait_until(lambda: not Path(f"/proc/{int(pid.read_text())}").exists(), "what it started is gone")


def test_slack_gets_text_in_which_nothing_is_markup(receiver: Receiver) -> None:
    assert sent({"url": receiver.url, "style": "slack"}).delivered
    text = json.loads(receiver.bodies[0])["text"]
    assert text == '[run.failed] nightly (shop): it said &lt;script&gt; &amp; [31m "$(id)" `id` and more'


def test_each_style_has_a_body_of_its_own(receiver: Receiver) -> None:
    for style in get_args(MessageStyle):
        assert sent({"url": receiver.url, "style": style}).delivered
    assert len(set(receiver.bodies)) == len(get_args(MessageStyle)), "`_post` in daemon/delivery/sending.py"


@pytest.mark.parametrize(
    ("target", "environment", "said"),
    [
        ({"url_env": "OPS_URL"}, {}, "the variable OPS_URL is not set; set it for each replica, or OPS_URL_FILE"),
        (
            {"url_env": "OPS_URL"},
            {"OPS_URL_FILE": "https://hush"},
            "the file of OPS_URL_FILE cannot be read: No such file or directory; write the value of OPS_URL into a file",
        ),
        (
            {"url_env": "OPS_URL"},
            {"OPS_URL_FILE": sys.executable},
            "the file of OPS_URL_FILE cannot be read: it is not UTF-8",
        ),
        ({"url_env": "OPS_URL"}, {"OPS_URL": "hush"}, "it is not a URL of http or https"),
        (
            {"url": "http://127.0.0.1:1/hush", "secret_env": "KEY"},
            {"KEY": "hush!"},
            "the secret in KEY is not base64 of 24 to 64 bytes",
        ),
        ({"url": "http://127.0.0.1:1/hush", "secret_env": "KEY"}, {}, "the variable KEY is not set"),
        ({"url_env": "OPS_URL"}, {"OPS_URL": "http://127.0.0.1:1/hush"}, "Connection refused"),
    ],
    ids=["no URL", "no file", "no text", "no such URL", "no base64", "no secret", "nobody there"],
)
def test_what_is_wrong_with_a_target_is_said_without_its_secret(
    target: dict[str, object], environment: dict[str, str], said: str
) -> None:
    reply = sent(target, MESSAGE, Path(), **environment)
    assert said in reply.text
    assert "hush" not in reply.text
    assert "hush" not in target_text(address_of(target))


def test_a_monitor_says_how_much_it_takes(receiver: Receiver) -> None:
    sender = Sender({}, Path())
    target = {"ping": True, "url": receiver.url, "style": "healthchecks"}
    failed = replace(MESSAGE, kind="ping.fail", text="failed", output="x" * 20_000)
    receiver.headers = {"Ping-Body-Limit": "100"}

    async def twice() -> None:
        await sender.send(target, failed)
        await sender.send(target, failed)

    asyncio.run(twice())
    assert [len(body) for body in receiver.bodies] == [10_000, 100]
