"""Fixtures of tests in several rooms of the daemon."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.receiver import Receiver
from tests.support.store import Store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """The daemon's tables, on each kind of database."""
    with Store(database_url) as opened:
        yield opened


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Store]:
    """The daemon's tables on PostgreSQL, for what only there can happen."""
    with Store(postgres_url) as opened:
        yield opened


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that takes messages."""
    with Receiver() as opened:
        yield opened


@pytest.fixture
def process(processes: None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing until it is killed."""
    del processes
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield started
        started.kill()
