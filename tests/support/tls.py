"""TLS before PostgreSQL, which the binaries of the tests do not speak; and the certificates for it."""

import contextlib
import socket
import ssl
import struct
import subprocess
import threading
from pathlib import Path
from typing import Self

REQUEST = struct.pack("!ii", 8, 80_877_103)
"""The first message of a client that asks for TLS."""


class TlsFront:
    """Listens on a port of its own, and passes on what comes over TLS from a client with a
    certificate of its authority; nothing else (``hostssl … clientcert=verify-ca``).

    `authority` is the certificate by which a client knows it, `stranger` that of another authority;
    `client_certificate` and `client_key` are a client's. All are made in ``folder``.
    """

    def __init__(self, port: int, folder: Path) -> None:
        self._target = ("127.0.0.1", port)
        self.authority, _ = certificate(folder, "authority")
        self.stranger, _ = certificate(folder, "stranger")
        self.client_certificate, self.client_key = certificate(folder, "client", self.authority)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate(folder, "server", self.authority, "subjectAltName=IP:127.0.0.1"))
        self._context.load_verify_locations(self.authority)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.refused = 0
        """The number of connections that came without TLS."""

    @property
    def client_arguments(self) -> dict[str, str]:
        """What a client that libpq connects needs."""
        return {
            "sslmode": "verify-full",
            "sslrootcert": str(self.authority),
            "sslcert": str(self.client_certificate),
            "sslkey": str(self.client_key),
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if client.recv(len(REQUEST), socket.MSG_WAITALL) != REQUEST:
                self.refused += 1
                return
            client.sendall(b"S")
            with (
                self._context.wrap_socket(client, server_side=True) as safe,
                socket.create_connection(self._target) as server,
            ):
                threading.Thread(target=pass_on, args=(server, safe), daemon=True).start()
                pass_on(safe, server)


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until one side ends, and then end the other."""
    with contextlib.suppress(OSError):
        while some := source.recv(65_536):
            target.sendall(some)
    for line in (source, target):
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


def certificate(folder: Path, name: str, authority: Path | None = None, *extensions: str) -> tuple[Path, Path]:
    """Make a certificate that ``authority`` has signed, or without one an authority; return it and its key."""
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key"]
    made += [argument for extension in extensions for argument in ("-addext", extension)]
    if authority is not None:
        made += ["-CA", str(authority), "-CAkey", str(authority.with_suffix(".key"))]
    command = ["openssl", "req", "-x509", *made, "-subj", f"/CN={name}", "-days", "2", "-out", f"{name}.crt"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / f"{name}.key").chmod(0o600)
    return folder / f"{name}.crt", folder / f"{name}.key"
