"""A server that takes messages, and behaves as a test tells it to."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Received:
    """A request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str


class Receiver:
    """A server on this machine; it answers 200 unless ``status`` says otherwise, once ``may_answer`` is set."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.may_answer = threading.Event()
        self.may_answer.set()
        of = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                of.requests.append(Received(self.command, self.path, dict(self.headers.items()), body))
                of.may_answer.wait()
                if of.status == 0:  # broken
                    self.connection.close()
                    return
                try:
                    self.send_response(of.status)
                    for name, value in {"Content-Length": "0", **of.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                except OSError:
                    pass  # who asked has given up

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: Any) -> None:  # it would be printed
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="receiver", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    @property
    def bodies(self) -> list[str]:
        return [request.body for request in self.requests]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
