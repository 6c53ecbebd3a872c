"""PgBouncer in transaction mode, if it is installed."""

import shutil
import signal
import socket
import subprocess
from typing import Self

from tests.support.binaries import readable_temporary_folder, server_user
from tests.support.datafolder import PASSWORD, USER
from tests.support.waiting import wait_until

MISSING = "PgBouncer is not installed (Debian: pgbouncer)"


def pooler_program() -> str | None:
    """Return PgBouncer's program; None if it is not installed."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class Pooler:
    """A PgBouncer before the server (or proxy) at a port of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.folder = readable_temporary_folder("leased-pooler-")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        (self.folder / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
        (self.folder / "ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={target} user={USER} password={PASSWORD}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {self.folder / 'users'}\n"
            "pool_mode = transaction\ndefault_pool_size = 20\nmax_client_conn = 200\nserver_login_retry = 0.2\n"
            "ignore_startup_parameters = extra_float_digits\nmax_prepared_statements = 0\n"
        )

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        self.folder.chmod(0o755)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(pooler_program()), str(self.folder / "ini")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=server_user(), start_new_session=True,
            )  # fmt: skip
        try:
            wait_until(self._listens, "PgBouncer listens")
        except AssertionError as late:
            raise RuntimeError(f"PgBouncer did not start: {(self.folder / 'log').read_text()}") from late

    def kill(self) -> None:
        """Kill it, with all connections through it."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
