"""The pings that monitors of cron jobs take: where each wants which."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never
from urllib.parse import parse_qsl, urlencode, urlsplit

from ..definitions.values.targets import PingStyle
from .message import Message

BODY_LIMIT = 10_000
"""The bytes of output that Healthchecks takes, unless it says otherwise."""
_MESSAGE_LIMIT = 1_000
_OF_HOSTS: Mapping[str, PingStyle] = {
    "hc-ping.com": "healthchecks",
    "healthchecks.io": "healthchecks",
    "cronitor.link": "cronitor",
    "cronitor.io": "cronitor",
    "sentry.io": "sentry",
    "nosnch.in": "snitch",
}


@dataclass(frozen=True, slots=True)
class Ping:
    """A request to a monitor."""

    url: str
    body: bytes | None = None


def style_of(target: Mapping[str, Any], url: str) -> PingStyle:
    """Return how a monitor takes pings: as the target says, otherwise by its host."""
    given: PingStyle | None = target.get("style")
    if given is not None:
        return given
    host = urlsplit(url).hostname or ""
    return next((style for of, style in _OF_HOSTS.items() if host == of or host.endswith(f".{of}")), "plain")


def ping(style: PingStyle, url: str, message: Message, limit: int = BODY_LIMIT) -> Ping | None:
    """Return the request for a ping; None if the monitor takes none of this kind."""
    kind = message.kind.removeprefix("ping.")
    match style:
        case "healthchecks":
            path = {"start": "/start", "fail": "/fail"}.get(kind, "")
            told = f"{message.sentence}\n\n{message.output}".encode()
            body = told[-limit:] if kind == "fail" and limit else None
            return Ping(_with(url, path, rid=message.run_uuid), body)
        case "cronitor":
            state = {"start": "run", "fail": "fail"}.get(kind, "complete")
            said = {"message": message.sentence[:_MESSAGE_LIMIT]} if kind == "fail" else {}
            return Ping(_with(url, state=state, series=message.run_uuid, **said))
        case "sentry":
            status = {"start": "in_progress", "fail": "error"}.get(kind, "ok")
            return Ping(_with(url, status=status, check_in_id=message.run_uuid))
        case "snitch" | "plain":
            return Ping(url) if kind == "success" else None
        case _:
            assert_never(style)


def _with(url: str, path: str = "", **parameters: str) -> str:
    """Return a URL with more of a path and more parameters; it keeps its own."""
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *parameters.items()])
    return parts._replace(path=parts.path.rstrip("/") + path if path else parts.path, query=query, fragment="").geturl()
