"""Where the replica answers over HTTP."""

import ipaddress
from dataclasses import dataclass
from typing import Self

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8520


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A host and a port; port 0 stands for any that is free."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    asked: bool = False
    """Somebody asked for this very address: another one does not do."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``HOST:PORT``, ``:PORT`` or ``PORT``; raises ValueError with a sentence."""
        host, _, port = text.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]") or DEFAULT_HOST
        if not port.isascii() or not port.isdigit() or int(port) > 65_535 or any(letter.isspace() for letter in host):
            raise ValueError(f'"{text}" is not HOST:PORT; write it like "127.0.0.1:{DEFAULT_PORT}"')
        return cls(host, int(port), asked=True)

    @property
    def loopback(self) -> bool:
        """Only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def beside(self, index: int) -> Self:
        """Return the address of the replica number ``index`` (from 0) where the first one has this address."""
        if self.port == 0:
            return self
        return type(self)(self.host, min(self.port + index, 65_535), self.asked)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
