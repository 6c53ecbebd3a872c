"""The socket of a service manager, at which a test hears what a service says of itself (sd_notify)."""

import socket
from typing import Self

from .waiting import wait_until


class NotifySocket:
    """A real socket at ``address``: a path, or a name with an @ before it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._messages: list[list[str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def messages(self) -> list[list[str]]:
        """Return all messages so far, each as its lines."""
        while True:
            try:
                self._messages.append(self._socket.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return self._messages

    def heard(self, line: str) -> list[list[str]]:
        """Return all messages so far with this line."""
        return [one for one in self.messages() if line in one]

    def wait_for(self, line: str, count: int = 1) -> list[str]:
        wait_until(lambda: len(self.heard(line)) >= count, f"{count} times {line}, not only {self._messages}")
        return self.heard(line)[count - 1]
