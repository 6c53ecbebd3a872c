"""One attempt to deliver a message, to a URL or to a command; each blocks its own thread, and no other."""

import asyncio
import base64
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from ..definitions.values.refusal import Refusal
from ..definitions.values.targets import check_url
from ..own_thread import in_own_thread
from ..text import shortened, signal_name
from ..version import package_version
from .message import Message
from .monitors import BODY_LIMIT, ping, style_of

PATIENCE = 15.0
"""Seconds that a server may take for all of its answer."""
COMMAND_PATIENCE = 30.0
"""The same of a command."""
_GONE = 410
_SHORTEST_KEY = 24
_MOST_CHARACTERS = 2_000
"""Of the sentence in LEASED_MESSAGE, and of what a command that fails has written."""
_READ = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    delivered: bool
    text: str
    gone: bool = False
    dropped: bool = False
    """There was nothing to send: the monitor takes no such ping."""
    after: float | None = None
    """The seconds after which the target wants to be asked again."""
    limit: int | None = None
    """The bytes that the monitor takes."""


@dataclass(slots=True)
class Sender:
    """Delivers messages for one replica, or for a command."""

    environment: Mapping[str, str]
    folder: Path
    """Where commands run."""
    _limits: dict[str, int] = field(default_factory=dict)
    """The bytes that monitors take, as far as they have said so."""

    def lacks(self, name: str) -> Refusal | None:
        """Return why the value of a variable is not to be had; None if it is."""
        try:
            self._variable(name)
        except Refusal as refusal:
            return refusal
        return None

    async def send(self, target: Mapping[str, Any], message: Message) -> Reply:
        """Deliver a message and return what came back. It never raises, and ends within its time limit."""
        attempt = _Attempt()
        most = COMMAND_PATIENCE if "command" in target else PATIENCE
        try:
            async with asyncio.timeout(most):
                return await in_own_thread(lambda: self._send(target, message, attempt), "delivery")
        except RuntimeError as error:  # the system has no thread left
            return Reply(False, shortened(str(error)))
        except TimeoutError:
            return Reply(False, f"it did not answer within {most:g}s")
        finally:
            attempt.end()

    def _send(self, target: Mapping[str, Any], message: Message, attempt: "_Attempt") -> Reply:
        try:
            if "command" in target:
                return self._run(target["command"], message, attempt)
            url = target["url"] if "url" in target else check_url(self._variable(target["url_env"]))
            if target.get("ping"):
                return self._ping(target, url, message, attempt)
            return self._post(target, url, message, attempt)
        except Refusal as refusal:
            return Reply(False, f"{refusal.problem}; {refusal.remedy}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the message must stay in its queue
            return Reply(False, _what(error))

    def _post(self, target: Mapping[str, Any], url: str, message: Message, attempt: "_Attempt") -> Reply:
        is_slack = target.get("style") == "slack"
        body, headers = message.slack() if is_slack else message.webhook(), {"Content-Type": "application/json"}
        if not is_slack:
            headers |= self._signed(target, message, body)
        return attempt.request(url, body.encode(errors="replace"), headers)

    def _signed(self, target: Mapping[str, Any], message: Message, body: str) -> dict[str, str]:
        at = datetime.now(UTC)
        headers = {"webhook-id": message.id, "webhook-timestamp": str(int(at.timestamp()))}
        if "secret_env" in target:
            from standardwebhooks import Webhook  # noqa: PLC0415 - only where something is signed

            signs = Webhook(_key(target["secret_env"], self._variable(target["secret_env"])))
            headers["webhook-signature"] = signs.sign(message.id, at, body)
        return headers

    def _ping(self, target: Mapping[str, Any], url: str, message: Message, attempt: "_Attempt") -> Reply:
        asked = ping(style_of(target, url), url, message, self._limits.get(url, BODY_LIMIT))
        if asked is None:
            return Reply(True, "the monitor takes no such ping", dropped=True)
        answer = attempt.request(
            asked.url, asked.body, {"Content-Type": "text/plain; charset=utf-8"} if asked.body else {}
        )
        if answer.limit is not None:
            self._limits[url] = answer.limit
        return replace(answer, gone=False)  # no trial ping could start it again

    def _run(self, command: str | list[str], message: Message, attempt: "_Attempt") -> Reply:
        """Run a command, which reads the message; a string in ``/bin/sh -c``. Nothing of the message is in its words."""
        told = {"LEASED_MESSAGE": message.sentence[:_MOST_CHARACTERS], "LEASED_MESSAGE_KIND": message.kind}
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(  # noqa: S603 - the command of the definition
                ["/bin/sh", "-c", command] if isinstance(command, str) else command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=self.folder,
                env={**self.environment, **told},
                start_new_session=True,
            )
            attempt.process = process
            with suppress(BrokenPipeError):  # it need not read
                process.communicate(message.mail().encode(errors="replace"))
            status = process.wait()
            if status == 0:
                return Reply(True, "exited with status 0")
            errors.seek(max(0, errors.tell() - _MOST_CHARACTERS))
            said = shortened(errors.read().decode(errors="replace"))
        how = f"exited with status {status}" if status > 0 else f"was ended by {signal_name(-status)}"
        return Reply(False, f"{how}: {said}" if said else how)

    def _variable(self, name: str) -> str:
        """Return the value of a variable, or what the file has that NAME_FILE names; raises `Refusal`."""
        if value := self.environment.get(name):
            return value.strip()
        if path := self.environment.get(f"{name}_FILE"):
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                said = getattr(error, "strerror", None) or "it is not UTF-8"
                # Not its path: if someone confused the two variables, it is the secret.
                raise Refusal(
                    f"the file of {name}_FILE cannot be read: {said}", f"write the value of {name} into a file"
                ) from None
        raise Refusal(
            f"the variable {name} is not set", f"set it for each replica, or {name}_FILE to a file that has it"
        )


class _Attempt:
    """What an attempt has opened, so that it can be ended from another thread."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._sockets: list[Any] = []

    def end(self) -> None:
        """End what is still open."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(2)
        if self.process is not None and self.process.poll() is None:
            with suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def request(self, url: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        """Send a request and return the answer; only 2xx counts, and no redirect is followed."""
        from http.client import HTTPConnection, HTTPSConnection  # noqa: PLC0415 - slow to import
        from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request  # noqa: PLC0415

        opened = self._sockets

        def kept(kind: Any) -> Any:
            class Kept(kind):  # type: ignore[misc]
                def connect(self) -> None:
                    super().connect()
                    opened.append(self.sock)

            return Kept

        class Http(HTTPHandler):
            def http_open(self, request: Any) -> Any:
                return self.do_open(kept(HTTPConnection), request)

        class Https(HTTPSHandler):
            def https_open(self, request: Any) -> Any:
                return self.do_open(kept(HTTPSConnection), request)

        opener = OpenerDirector()
        for handler in (ProxyHandler(), Http(), Https()):
            opener.add_handler(handler)
        agent = {"User-Agent": f"leased/{package_version()}"}
        asked = Request(url, body, {**headers, **agent}, method="GET" if body is None else "POST")  # noqa: S310 - checked by `check_url`
        answer: Any = opener.open(asked, timeout=PATIENCE)
        with answer:
            status, reason, given = int(answer.status), str(answer.reason or ""), answer.headers
            with suppress(Exception):  # so that the server sees its answer taken
                answer.read(_READ)
        limit = given.get("Ping-Body-Limit", "")
        said = shortened(f"{status} {reason}", 60)
        return Reply(
            200 <= status < 300,
            f"{said}: redirects are not followed" if 300 <= status < 400 else said,
            gone=status == _GONE,
            after=_seconds(given.get("Retry-After")),
            limit=int(limit) if re.fullmatch(r"\d{1,9}", limit) else None,
        )


def _key(name: str, secret: str) -> bytes:
    """Return the key that a secret stands for; raises `Refusal`, which does not show it."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if len(key) < _SHORTEST_KEY:
        raise Refusal(
            f"the secret in {name} is not base64 of 24 to 64 bytes", "make one with `openssl rand -base64 32`"
        )
    return key


def _seconds(after: str | None) -> float | None:
    """Return the seconds of a Retry-After, which may be a date."""
    if after is None:
        return None
    if re.fullmatch(r"\d{1,9}", after.strip()):
        return float(after)
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds())
    return None


def _what(error: BaseException) -> str:
    """Return what went wrong, without the URL: its path may be secret."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, OSError) and cause.strerror:
        return shortened(cause.strerror)
    return shortened(str(cause)) if isinstance(cause, OSError) and str(cause) else type(cause).__name__
