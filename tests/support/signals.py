"""Processes that a test starts have the default effects of signals, whatever the test run has inherited.

`nohup` starts the run with SIGHUP ignored, a script's `&` with SIGINT and SIGQUIT. A process passes on the signals
that it ignores to all that it starts, but not its handlers. So each ignored signal gets a handler that does nothing.

A pytest plugin. A program that starts processes without pytest calls `handle_ignored`.
"""

import signal
from collections.abc import Iterable
from types import FrameType
from typing import Any

import pytest

HANDLED = pytest.StashKey[list[int]]()
_OF_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}
"""Python ignores these itself, and `subprocess` gives them their default effect."""
_KEY = "ignored signals"


def handle_ignored() -> list[int]:
    """Give each signal that this process ignores a handler that does nothing; return them."""
    ours = signal.valid_signals() - _OF_PYTHON
    return _handle(int(number) for number in ours if signal.getsignal(number) is signal.SIG_IGN)


def pytest_configure(config: pytest.Config) -> None:
    """Handle what is ignored; a worker of pytest-xdist does not inherit it any more, and is told."""
    told: list[int] | None = getattr(config, "workerinput", {}).get(_KEY)
    config.stash[HANDLED] = handle_ignored() if told is None else _handle(told)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput[_KEY] = node.config.stash[HANDLED]


def _handle(numbers: Iterable[int]) -> list[int]:
    handled = list(numbers)
    for number in handled:
        signal.signal(number, _do_nothing)
    return handled


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    pass
