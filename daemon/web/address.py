"""The address at which a replica answers over HTTP."""

import ipaddress
from dataclasses import dataclass
from typing import Self

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8520


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A host and a port; port 0 stands for any free port."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    asked: bool = False
    """The user gave this very address, so that no other port may take its place."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address for ``HOST:PORT``, ``:PORT`` or ``PORT``; raises ValueError."""
        host, _, port = text.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]") or DEFAULT_HOST
        if not port.isascii() or not port.isdigit() or int(port) > 65_535 or any(letter.isspace() for letter in host):
            raise ValueError(f'"{text}" is not HOST:PORT; write it like "127.0.0.1:{DEFAULT_PORT}"')
        return cls(host, int(port), asked=True)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def beside(self, index: int) -> Self:
        """Return the address of replica ``index`` (from 0), of which the first has this address."""
        if self.port == 0:
            return self
        return type(self)(self.host, min(self.port + index, 65_535), self.asked)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
