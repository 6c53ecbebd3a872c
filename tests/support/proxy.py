"""A proxy before PostgreSQL that a test can cut, silence and slow down; it reads statements."""

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

CANCEL = 80_877_102
_KEY = re.compile(rb"(K\0\0\0[\x0c\x28]).{4}", re.DOTALL)
"""The message by which a server names the process that serves a connection."""
STARTUPS = (80_877_103, 80_877_104)  # asks for SSL and for GSS; the startup message itself comes after


class Proxy:
    """Listens on a port of its own and passes bytes on. Every fault is a method; `heal` ends it."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.statements: list[str] = []
        """All statements, in order."""
        self.cancels = 0
        """The number of requests to cancel a statement."""
        self.connections = 0
        self.silent_after: int | None = None
        """The number of server packets after which each new connection falls silent."""
        self.prepared: list[str] = []
        """The names under which statements were prepared."""
        self.pooling = False
        """Tell each new connection another process than the server's, as a pooler does."""
        self.rewrite: Callable[[bytes], bytes] = lambda data: data
        """Makes of what the server sends what its client gets."""
        self._open, self._rude = set[socket.socket](), set[socket.socket]()
        self._lock = threading.Lock()
        self._asking = threading.Event()  # bytes of the client pass
        self._answering = threading.Event()  # bytes of the server pass
        self._refusing = False
        self.struck = threading.Event()  # when `hold_answer` has found its statement
        self._aim: Callable[[Sequence[str]], bool] | None = None
        self._held: list[threading.Event] = []
        self._swallowing = ""
        self._delay = 0.0
        self._gone = False
        self.heal()

    @property
    def open(self) -> int:
        """The number of its open sockets."""
        with self._lock:
            return len(self._open)

    @property
    def deaf(self) -> bool:
        """Whether an answer, or every answer, is held back."""
        return not self._answering.is_set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._gone = True
        self.heal()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def heal(self) -> None:
        """Pass everything on, also what was held back."""
        with self._lock:
            self._refusing = False
            self._swallowing = ""
            self._aim = None
            self._delay = 0.0
            for gate in (self._asking, self._answering, *self._held):
                gate.set()
            self._held.clear()

    def drop(self) -> None:
        """Break all connections; accept new ones."""
        with self._lock:
            doomed = list(self._open)
        for line in doomed:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Reset all connections, as a restarted machine does; accept new ones."""
        with self._lock:
            doomed = list(self._open)
            self._rude |= self._open
        for line in doomed:
            with contextlib.suppress(OSError):
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                line.shutdown(socket.SHUT_RD)  # wakes its pump, and tells the other side nothing

    def slow_down(self, seconds: float) -> None:
        """Delay each packet, in both directions."""
        self._delay = seconds

    def lead_to(self, port: int) -> None:
        """Route new connections to another server on this machine."""
        self._target = (self._target[0], port)

    def cut(self) -> None:
        """Break all connections and every new one at once."""
        self._refusing = True
        self.drop()

    def blackhole(self) -> None:
        """Drop into silence: connections stay open, but nothing arrives on either side."""
        self._asking.clear()
        self._answering.clear()

    def swallow_answer_to(self, statement: str) -> None:
        """Deliver statements to the server; hold back its answers from the next matching one on."""
        self._swallowing = statement

    def hold_answer(self, to: Callable[[Sequence[str]], bool]) -> None:
        """Deliver statements to the server; hold back its answers to one connection, from the first
        statement on of which this is true. It is given what the transaction has asked, that one last.
        """
        with self._lock:
            self._aim = to
            self.struck.clear()

    def asked(self, transaction: Sequence[str], answering: threading.Event) -> None:
        """Record the last statement of a transaction before the server gets it."""
        self.statements.append(transaction[-1])
        with self._lock:
            if self._swallowing and transaction[-1].startswith(self._swallowing):
                self._answering.clear()
            if self._aim is not None and self._aim(transaction):
                self._aim = None
                answering.clear()
                self._held.append(answering)
                self.struck.set()

    def _accept(self) -> None:
        while not self._gone:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self._refusing:
                near.close()
                continue
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
            answering = threading.Event()  # bytes of the server pass to this client
            answering.set()
            there = near, far, (self._asking,), Reader(self, answering)
            for way in (there, (far, near, (self._answering, answering), None)):
                threading.Thread(target=self._pump, args=way, daemon=True).start()

    def _pump(
        self, source: socket.socket, target: socket.socket, gates: Sequence[threading.Event], reader: "Reader | None"
    ) -> None:
        silent_after = self.silent_after if reader is None else None
        packets = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                packets += 1
                if silent_after is not None and packets > silent_after:
                    continue
                for gate in gates:
                    gate.wait()
                if source in self._rude:
                    break  # what was held back is gone with its connection
                if self._delay:
                    time.sleep(self._delay)
                if reader is not None:
                    reader.read(data)
                elif self.pooling:
                    data = _KEY.sub(lambda found: found[1] + b"\0\0\0\1", data)
                if reader is None:
                    data = self.rewrite(data)
                target.sendall(data)
        for line in (source, target):
            with contextlib.suppress(OSError):
                if line not in self._rude:
                    line.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
            self._rude.discard(source)
        source.close()


class Reader:
    """A reader of a client's messages (PostgreSQL's documentation, "Message Formats")."""

    def __init__(self, proxy: Proxy, answering: threading.Event) -> None:
        self._proxy = proxy
        self._answering = answering
        self._transaction: list[str] = []
        self._rest = b""
        self._prepared: dict[bytes, str] = {}
        self._started = False

    def read(self, data: bytes) -> None:
        self._rest += data
        while self._take():
            pass

    def _take(self) -> bool:
        at = 1 if self._started else 0
        if len(self._rest) < at + 4:
            return False
        length = at + int.from_bytes(self._rest[at : at + 4], "big")
        if len(self._rest) < length:
            return False
        message, self._rest = self._rest[:length], self._rest[length:]
        if self._started:
            self._note(message)
        else:
            code = int.from_bytes(message[4:8], "big")
            self._proxy.cancels += code == CANCEL
            self._started = code not in (*STARTUPS, CANCEL)
        return True

    def _note(self, message: bytes) -> None:
        kind, body = message[:1], message[5:]
        if kind == b"Q":
            self._ask(body.rstrip(b"\0").decode())
        elif kind == b"P":
            name, statement = body.split(b"\0")[:2]
            self._prepared[name] = statement.decode()
            if name:
                self._proxy.prepared.append(name.decode())
        elif kind == b"B":
            self._ask(self._prepared[body.split(b"\0")[1]])

    def _ask(self, statement: str) -> None:
        if not (self._transaction and self._transaction[0].startswith("BEGIN")):
            self._transaction.clear()  # the one before was a transaction by itself
        self._transaction.append(statement)
        self._proxy.asked(self._transaction, self._answering)
        if statement.startswith(("COMMIT", "ROLLBACK")):
            self._transaction.clear()
