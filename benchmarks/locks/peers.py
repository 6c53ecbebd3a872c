"""Locks in Redis, where its server and its Python packages are installed."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .contenders import Contender, Times, _timed

redis: Any = import_module("redis") if find_spec("redis") else None
redis_lock: Any = import_module("redis_lock") if find_spec("redis_lock") else None

_START = 10.0


def missing() -> str | None:
    """Return why they cannot be measured, or None if they can."""
    if redis is None or redis_lock is None:
        return "the peers in Redis: the packages redis and python-redis-lock are not installed"
    if shutil.which("redis-server") is None:
        return "the peers in Redis: redis-server is not installed"
    return None


@contextmanager
def redis_server() -> Iterator[int]:
    """Run a server on the loopback interface, in a folder of its own, and yield its port. It answers a
    write once that is on the disk, as PostgreSQL does.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="leased-redis-") as folder:
        options = {
            "port": port,
            "bind": "127.0.0.1",
            "dir": folder,
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        server = subprocess.Popen([str(shutil.which("redis-server")), *words], stdout=subprocess.DEVNULL)
        try:
            _await(port)
            yield port
        finally:
            server.terminate()
            server.wait()


def _await(port: int) -> None:
    deadline = time.monotonic() + _START
    while True:
        try:
            redis.Redis(port=port).ping()
        except redis.exceptions.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def redis_py(port: int) -> Callable[[str], Any]:
    """Return a lock of redis-py by its name."""
    return partial(redis.Redis(port=port).lock, timeout=15)


def python_redis_lock(port: int) -> Callable[[str], Any]:
    """Return a lock of python-redis-lock by its name."""
    return partial(redis_lock.Lock, redis.StrictRedis(port=port), expire=15)


@contextmanager
def _pairs(made: Callable[[int], Callable[[str], Any]], port: int, _url: str) -> Iterator[Times]:
    make = made(port)

    def pair() -> None:
        with make("pair"):
            pass

    yield _timed(pair)


def contenders(port: int) -> tuple[Contender, ...]:
    """Return the contenders on the server at this port."""
    return (
        Contender("redis-py", partial(_pairs, redis_py, port)),
        Contender("python-redis-lock", partial(_pairs, python_redis_lock, port)),
    )
