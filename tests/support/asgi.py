"""Requests to an application in this process, without a server."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Headers
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def asked(
    app: ASGIApp,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = b"",
    *,
    sent: list[Message] | None = None,
) -> Answer:
    """Return the answer to a request; by default it is one of this machine. Without a body the client hangs up."""
    path, _, query = target.partition("?")
    given = {"host": "127.0.0.1:8520", **(headers or {})}
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8520),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    sent = [] if sent is None else sent

    async def receive() -> Message:
        if body is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *parts = sent
    return Answer(start["status"], Headers(raw=start["headers"]), b"".join(part.get("body", b"") for part in parts))
