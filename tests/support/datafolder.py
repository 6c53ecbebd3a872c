"""The data folder of a test's PostgreSQL server, and the uid that owns it."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .binaries import DEBIAN, Binaries

USER = "postgres"
PASSWORD = "a-secret-of-the-tests"


def make_data_folder(
    binaries: Binaries, folder: Path, uid: int | None, settings: Sequence[str], *, like_no_other: bool = False
) -> None:
    """Create `folder`/data with these lines of postgresql.conf, owned by `uid` (None: by us).

    It is a copy of the first that these programs have made, system identifier and all, unless it is to be `like_no_other`.
    """
    # What Debian installs is not ours: no folder stands beside its programs.
    kept = None if like_no_other or DEBIAN in binaries.folder.parents else binaries.folder.parent / "data"
    if kept is not None and kept.exists():
        shutil.copytree(kept, folder / "data", copy_function=shutil.copyfile)
        (folder / "data").chmod(0o700)
    else:
        _make_anew(binaries, folder, None if uid is None else pwd.getpwnam("nobody").pw_uid)
        if kept is not None:
            _keep(folder / "data", kept)
    with (folder / "data" / "postgresql.conf").open("a") as file:
        file.write("\n".join([*settings, ""]))
    _own(folder, uid)


def _make_anew(binaries: Binaries, folder: Path, maker: int | None) -> None:
    """Create it as `maker`: initdb insists on a user with a name, the server does not."""
    password = folder / "password"
    password.write_text(PASSWORD)
    _own(folder, maker)
    _initdb(binaries, folder, maker, password)
    password.unlink()


def _keep(data: Path, kept: Path) -> None:
    """Keep a copy, all of it at once, unless another worker was first."""
    with tempfile.TemporaryDirectory(dir=kept.parent) as draft:
        copy = shutil.copytree(data, Path(draft) / "data")
        with contextlib.suppress(OSError):
            copy.rename(kept)


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
