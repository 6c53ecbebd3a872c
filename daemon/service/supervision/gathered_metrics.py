"""One `/metrics` for all replicas of a supervisor: what each of them serves, with the label `replica`."""

import http.client
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...web.address import WebAddress
from ...web.app import METRICS_TEXT, WebNotStarted, WebServer, web_app
from ...web.door import Door

_PATIENCE = 5.0
"""Seconds that a replica may take; Prometheus waits for 10."""
_UP = b"# HELP leased_replica_up 1 if the replica has answered, otherwise 0\n# TYPE leased_replica_up gauge\n"


Sources = Sequence[tuple[WebAddress | None, str | None]]
"""Where each replica answers, None as long as it does not; and with which token."""


class GatheredMetrics:
    """The web server of a supervisor, beside those of its replicas."""

    def __init__(self, door: Door, sources: Callable[[], Sources], ready: Callable[[], int]) -> None:
        self._sources = sources
        self._guard = web_app(
            door,
            loops=dict,
            problems=lambda: {} if ready() else {"replicas": "no replica is ready"},
            routes=[Route("/metrics", self._answer)],
        )

    def serve(self, stack: ExitStack, report: Callable[[str], object], warn: Callable[[str], object]) -> None:
        """Answer until ``stack`` is closed. Without an address the replicas run all the same."""
        server = WebServer(self._guard, self._guard.door.bound, warn)
        stack.callback(server.stop)
        try:
            report(f"the metrics of all replicas: http://{server.start()}/metrics")
        except WebNotStarted as error:
            warn(f"the metrics of all replicas are not served in one place: {error}")

    def admit(self, token: str | None, read_token: str | None) -> None:
        """Let in who has one of these tokens from here on, and nobody else."""
        self._guard.door = replace(self._guard.door, token=token, read_token=read_token)

    async def _answer(self, _request: Request) -> Response:
        texts: dict[int, bytes | None] = {}

        async def ask(replica: int, address: WebAddress | None, token: str | None) -> None:
            texts[replica] = None if address is None else await anyio.to_thread.run_sync(_fetched, address, token)

        async with anyio.create_task_group() as group:
            for replica, source in enumerate(self._sources()):
                group.start_soon(ask, replica, *source)
        return Response(gathered(texts), headers={"Content-Type": METRICS_TEXT})


def gathered(texts: Mapping[int, bytes | None]) -> bytes:
    """Return the texts of replicas as one, in which each sample says whose it is; None: it has not answered."""
    heads: dict[bytes, dict[bytes, bytes]] = {}
    samples: dict[bytes, list[bytes]] = {}
    for replica, text in sorted(texts.items()):
        name = b""
        for line in (text or b"").split(b"\n"):
            if line.startswith(b"# "):
                _, kind, name = line.split(b" ", 3)[:3]
                heads.setdefault(name, {}).setdefault(kind, line)  # another version may word it in another way
            elif line and name:
                samples.setdefault(name, []).append(_labelled(line, b'replica="%d"' % replica))
    up = (
        b'leased_replica_up{replica="%d"} %d\n' % (replica, text is not None) for replica, text in sorted(texts.items())
    )
    families = (line + b"\n" for name in heads for line in (*heads[name].values(), *samples.get(name, ())))
    return b"".join((*families, _UP, *up))


def _labelled(sample: bytes, label: bytes) -> bytes:
    name, brace, rest = sample.partition(b"{")
    if not brace or b" " in name:
        name, _, rest = sample.partition(b" ")
        return name + b"{" + label + b"} " + rest
    return name + b"{" + label + (b"" if rest.startswith(b"}") else b",") + rest


def _fetched(address: WebAddress, token: str | None) -> bytes | None:
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104 - what it is bound to
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://{replace(address, host=reached)}/metrics", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is a replica of ours
    try:
        with opener.open(request, timeout=_PATIENCE) as answer:
            return bytes(answer.read())
    except (OSError, http.client.HTTPException):
        return None
