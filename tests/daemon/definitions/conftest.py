"""Fixtures of tests that load files."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The modules that a test imports, and the folders where it finds them, are gone with it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]
