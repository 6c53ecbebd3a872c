"""The data folder of a test's PostgreSQL server, and the uid that owns it."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .binaries import Binaries

USER = "postgres"
PASSWORD = "a-secret-of-the-tests"


def make_data_folder(binaries: Binaries, folder: Path, uid: int | None, settings: Sequence[str]) -> None:
    """Create `folder`/data with these lines of postgresql.conf, owned by `uid` (None: by us)."""
    # initdb insists on a user with a name, the server does not: the files go to its uid afterwards.
    maker = None if uid is None else pwd.getpwnam("nobody").pw_uid
    password = folder / "password"
    password.write_text(PASSWORD)
    _own(folder, maker)
    _initdb(binaries, folder, maker, password)
    password.unlink()
    with (folder / "data" / "postgresql.conf").open("a") as file:
        file.write("\n".join([*settings, ""]))
    _own(folder, uid)


def copy_data_folder(binaries: Binaries, folder: Path, uid: int | None, source: int, settings: Sequence[str]) -> None:
    """Copy the running server at port `source` to `folder`/data, to be its standby."""
    made = subprocess.run(
        [
            str(binaries.folder / "pg_basebackup"),
            f"--pgdata={folder / 'data'}",
            f"--dbname=host=127.0.0.1 port={source} user={USER} password={PASSWORD}",
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=server_environment(folder),
    )
    if made.returncode != 0:
        raise RuntimeError(f"pg_basebackup failed: {made.stderr.strip()}")
    with (folder / "data" / "postgresql.conf").open("a") as file:
        file.write("\n".join([*settings, ""]))
    _own(folder, uid)


def server_settings(port: int, *, durable: bool) -> list[str]:
    speed = [] if durable else ["fsync = off", "full_page_writes = off"]
    return [
        "listen_addresses = '127.0.0.1'",
        f"port = {port}",
        "unix_socket_directories = ''",
        "max_connections = 200",
        "shared_buffers = 64MB",
        "dynamic_shared_memory_type = mmap",  # /dev/shm of a container may be tiny
        "logging_collector = off",
        "timezone = 'UTC'",
        *speed,
    ]


def server_environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "TZ": "UTC", "LC_ALL": "C"}


def _initdb(binaries: Binaries, folder: Path, maker: int | None, password: Path) -> None:
    made = subprocess.run(
        [
            str(binaries.folder / "initdb"),
            f"--pgdata={folder / 'data'}",
            f"--username={USER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--set=scram_iterations=1",  # the tests connect thousands of times
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=server_environment(folder),
        user=maker,
        group=maker,
        extra_groups=None if maker is None else [],
    )
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")


def _own(folder: Path, uid: int | None) -> None:
    if uid is None:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)
