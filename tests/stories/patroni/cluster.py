"""A PostgreSQL of two members that Patroni manages, with one etcd, all on the loopback interface."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import psycopg

from tests.support.binaries import Binaries, readable_temporary_folder
from tests.support.postgres import free_port
from tests.support.waiting import wait_until

TTL = 20
"""Seconds after which a leader that says nothing has lost its place: the least that Patroni allows."""
PROGRAMS = ("patroni", "etcd")
_PASSWORD = "a-secret-of-the-tests"
_LIMIT = 90.0


class Member:
    """One server and the Patroni beside it; each writes a log of its own."""

    def __init__(self, cluster: "PatroniCluster", name: str) -> None:
        self.name = name
        self.port, self._rest = free_port(), free_port()
        self._folder = cluster.folder / name
        self._folder.mkdir()
        configuration = self._folder / "patroni.json"  # YAML, too
        configuration.write_text(json.dumps(self._configuration(cluster)))
        self._process = cluster.launch([cluster.patroni, str(configuration)], name)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def role(self) -> str | None:
        """Return what Patroni says of it: "primary", "replica" or so; None if nobody answers."""
        if not self.is_alive:
            raise RuntimeError(f"Patroni has ended: {(self._folder.parent / f'{self.name}.log').read_text()[-2_000:]}")
        with suppress(urllib.error.URLError, OSError, ValueError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self._rest}/patroni", timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
            return str(found["role"]) if found["state"] == "running" else None
        return None

    def leads(self) -> bool:
        return self.is_alive and self.role() == "primary"

    def is_followed(self) -> bool:
        """Return whether its commits wait for the other member."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            query = "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'"
            return connection.execute(query).fetchone() is not None

    def url(self, database: str) -> str:
        return f"postgresql://postgres:{_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def die(self) -> None:
        """End it as a machine ends that loses its power: Patroni and server, without a word."""
        self._process.kill()
        self._process.wait()
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((self._folder / "data/postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def _configuration(self, cluster: "PatroniCluster") -> dict[str, Any]:
        return {
            "scope": "story",
            "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self._rest}", "connect_address": f"127.0.0.1:{self._rest}"},
            "etcd3": {"host": f"127.0.0.1:{cluster.etcd_port}"},
            "bootstrap": {
                "dcs": {"ttl": TTL, "loop_wait": 1, "retry_timeout": 3, "synchronous_mode": True},
                "initdb": [{"encoding": "UTF8"}, {"auth": "scram-sha-256"}, "no-sync"],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self._folder / "data"),
                "bin_dir": str(cluster.programs.folder),
                "pgpass": str(self._folder / "pgpass"),
                "pg_hba": [
                    "host all all 127.0.0.1/32 scram-sha-256",
                    "host replication all 127.0.0.1/32 scram-sha-256",
                ],
                "authentication": {
                    "superuser": {"username": "postgres", "password": _PASSWORD},
                    "replication": {"username": "standby", "password": _PASSWORD},
                },
                "parameters": {"unix_socket_directories": "", "max_connections": 100, "fsync": "off"},
            },
        }


class PatroniCluster:
    """Two members, one of which is the primary; the other one has every commit that was acknowledged."""

    def __init__(self, programs: Binaries) -> None:
        self.programs = programs
        self.folder = readable_temporary_folder("leased-patroni-")
        self.patroni, self._etcd = (str(shutil.which(program)) for program in PROGRAMS)
        self.etcd_port = free_port()
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._members: list[Member] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    @property
    def primary(self) -> Member:
        return next(member for member in self._members if member.leads())

    def has_primary(self) -> bool:
        return any(member.leads() for member in self._members)

    def url(self) -> str:
        """Return a URL of both members, which leads to the primary."""
        hosts = "&".join(f"host=127.0.0.1:{member.port}" for member in self._members)
        return f"postgresql+psycopg://postgres:{_PASSWORD}@/postgres?{hosts}&target_session_attrs=read-write"

    def launch(self, command: Sequence[str], name: str) -> "subprocess.Popen[bytes]":
        """Start a program as a user that PostgreSQL accepts."""
        user = self._user
        for path in (self.folder, *self.folder.rglob("*")):
            if user is not None:
                os.chown(path, user.pw_uid, user.pw_gid)
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
                user=user.pw_uid if user is not None else None,
                group=user.pw_gid if user is not None else None,
                extra_groups=[] if user is not None else None,
            )
        self._processes.append(process)
        return process

    def _start(self) -> None:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.etcd_port, free_port()))
        self.launch(
            [
                *(self._etcd, "--data-dir", str(self.folder / "etcd"), "--name", "one"),
                *("--listen-client-urls", client, "--advertise-client-urls", client),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *("--initial-cluster", f"one={peer}", "--unsafe-no-fsync"),
            ],
            "etcd",
        )
        self._members.append(Member(self, "first"))
        wait_until(lambda: self._members[0].role() == "primary", "the first member leads", limit=_LIMIT)
        self._members.append(Member(self, "second"))
        wait_until(lambda: self._members[1].role() == "replica", "the second member follows", limit=_LIMIT)
        wait_until(self._members[0].is_followed, "commits wait for the second member", limit=_LIMIT)

    def _remove(self) -> None:
        for member in self._members:
            member.die()
        for process in self._processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
