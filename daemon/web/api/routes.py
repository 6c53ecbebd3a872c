"""The routes of the API, made from the table of its endpoints."""

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lease.errors import LeaseError

from ...answers.questions import DoctorAnswer
from ...errors import DaemonError
from ...store.views.values import plain
from ...text import json_text
from ..door import admitted_of, refused
from .acts import ACTS
from .asked import Unfit, checked
from .desk import Desk
from .endpoints import Endpoint, carry_out, sentence_of, status_of
from .openapi import document
from .questions import questions

ROOT = "/api/v1"
_LARGEST_BODY = 2_000_000


def api_routes(desk: Desk, takeover_after: float, doctor: Callable[[], DoctorAnswer]) -> list[Route]:
    """Return the routes; ``desk`` is where they ask the database, ``doctor`` examines the installation."""
    endpoints = [*questions(takeover_after, doctor), *ACTS]

    @cache
    def described() -> bytes:
        return json.dumps(document(ROOT, endpoints), ensure_ascii=False).encode()

    async def openapi(_: Request) -> Response:
        return Response(await asyncio.to_thread(described), media_type="application/json")

    routes = [
        Route(f"{ROOT}{one.path}", partial(_answered, one, desk), methods=[one.method], name=one.path)
        for one in endpoints
    ]
    return [Route(f"{ROOT}/openapi.json", openapi), *routes]


async def _answered(endpoint: Endpoint, desk: Desk, request: Request) -> Response:
    try:
        asked = checked(endpoint.asks, await _given(endpoint, request) | _named(endpoint, request))
        unit = partial(_written, endpoint, asked)
        if endpoint.is_apart:
            without: Any = None
            body, following = await desk.apart(partial(unit, without))
        elif endpoint.method == "GET":
            body, following = await desk.read(unit, (endpoint.path, asked))
        else:
            body, following = await carry_out(desk, endpoint, asked, unit)
    except (DaemonError, LeaseError) as error:
        status = status_of(error)
        later = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
        return refused(status, sentence_of(error), later)
    if following is None:
        return Response(body, media_type="application/json")
    query = urlencode({**request.query_params, **following})
    return Response(body, media_type="application/json", headers={"Link": f'<{request.url.path}?{query}>; rel="next"'})


def _written(endpoint: Endpoint, asked: Any, connection: Connection) -> tuple[bytes, Mapping[str, object] | None]:
    """Return the answer as JSON, and where the next page of it begins; on the thread of the database."""
    answer: Any = endpoint.does(connection, asked)
    document = {"schema": endpoint.schema, **plain(answer)}
    body = json_text(document).encode()
    if endpoint.cursor is None or len(answer.items) < asked.limit:
        return body, None
    return body, endpoint.cursor(answer.items[-1])


def _named(endpoint: Endpoint, request: Request) -> dict[str, Any]:
    """Return who acts, if a trusted proxy says so: nobody acts there under another name."""
    who = admitted_of(request).who
    return {} if who is None or endpoint.method == "GET" else {"by": who}


async def _given(endpoint: Endpoint, request: Request) -> dict[str, Any]:
    """Return what the request gives; raises `Unfit`."""
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise Unfit(f"{name} is given twice; give it once")
        given[name] = value
    if endpoint.method == "GET":
        return given | request.path_params
    if given:
        raise Unfit("an act takes its parameters in the body, not in the query; send a JSON object")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_BODY:
            raise Unfit(f"the body is larger than {_LARGEST_BODY:,} bytes; send less")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unfit('the body is not a JSON object; send one, such as {"schedule": "nightly"}')
    return found
