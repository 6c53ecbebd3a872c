"""The service manager (systemd, say), which is told how the service is: the protocol of sd_notify."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Self

_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_PATIENCE = 0.5
"""Seconds to wait for a service manager whose queue is full."""


class ServiceManager:
    """Sends each change to ``address``; None: nobody is told. No method raises, or waits for long."""

    def __init__(
        self, address: str | None = None, watchdog: float | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        self.variables = variables or {}
        """Those that it was found by, for a start anew."""
        self._address = None if address is None else f"\0{address[1:]}" if address[0] == "@" else address
        self._watchdog = watchdog

    @classmethod
    def found(cls, environment: MutableMapping[str, str], warn: Callable[[str], object]) -> Self:
        """Take its variables out of ``environment``: neither a job nor a replica speaks for the service.

        ``warn`` gets a sentence about each that cannot be used.
        """
        variables = {name: environment.pop(name) for name in _VARIABLES if name in environment}
        address, every, pid = (variables.get(name) for name in _VARIABLES)
        if not address:
            return cls()
        if address[0] not in "/@" or address == "@":
            warn(
                f'NOTIFY_SOCKET is "{address}", which is neither a path nor "@name", so the service manager is not notified'
            )
            return cls()
        if every is None or (pid is not None and pid != str(os.getpid())):
            return cls(address, None, variables)
        if not every.isascii() or not every.isdigit() or int(every) == 0:
            warn(f'WATCHDOG_USEC is "{every}", which is not a number of microseconds, so the watchdog is not notified')
            return cls(address, None, variables)
        return cls(address, int(every) / 1e6, variables)

    def ready(self, status: str) -> None:
        """Tell that the service is up, or that its reload is over."""
        self._send("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self, status: str) -> None:
        """Tell that FILE is read anew; `ready` ends that."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}", f"STATUS={status}")

    def starting_anew(self) -> None:
        """Tell that this process is about to be replaced; the watchdog waits for the new start from here on."""
        self._send("WATCHDOG=1", "STATUS=restarting in place")

    def stopping(self, status: str) -> None:
        """Tell that the service ends."""
        self._send("STOPPING=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """Tell how it is, in one line."""
        self._send(f"STATUS={status}")

    async def watch(self, is_alive: Callable[[], bool]) -> None:
        """Tell the watchdog, twice in each of its periods, as long as every loop is alive."""
        while self._watchdog is not None:
            if is_alive():
                self._send("WATCHDOG=1")
            await asyncio.sleep(self._watchdog / 2)

    def _send(self, *lines: str) -> None:
        if self._address is None or sys.platform == "win32":
            return
        message = "\n".join(" ".join(line.split()) for line in lines).encode(errors="replace")
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(_PATIENCE)
            sender.sendto(message, self._address)
