"""`-p tests.mutants.random.measuring --measured=FILE`: which test runs which lines of the product, and how
long it takes. A pytest plugin; needs Python 3.12, whose monitoring costs next to nothing.

It takes nothing of this tool, since it also measures the tests of trees that have an older one.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

TOOL = 4
"""Any of the numbers that Python's own tools do not use."""


class Measurement:
    """The lines of one folder that each test runs, in this process alone."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._prefix = f"{folder}/"
        self._target = target
        self._root = folder.parent
        self._test = ""
        self._seconds: dict[str, float] = {}
        self._quick: set[str] = set()
        self._failed: set[str] = set()
        self._lines: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        self._monitoring: Any = vars(sys)["monitoring"]
        self._monitoring.use_tool_id(TOOL, "measuring")
        self._monitoring.register_callback(TOOL, self._monitoring.events.LINE, self._ran)
        self._monitoring.set_events(TOOL, self._monitoring.events.LINE)

    def _ran(self, code: CodeType, line: int) -> object:
        if self._test and code.co_filename.startswith(self._prefix):
            self._lines[self._test].add((code.co_filename, line))
        return self._monitoring.DISABLE

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        from tests.support.fast import starts_nothing  # noqa: PLC0415 - a plugin of its own, which pytest loads later

        self._test, began = item.nodeid, time.monotonic()
        if starts_nothing(item):
            self._quick.add(item.nodeid)
        self._monitoring.restart_events()
        try:
            return (yield)
        finally:
            self._seconds[item.nodeid] = time.monotonic() - began

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self._monitoring.set_events(TOOL, 0)
        self._monitoring.free_tool_id(TOOL)
        tests = {
            test: {"seconds": round(seconds, 2), "quick": test in self._quick, "lines": self._by_file(test)}
            for test, seconds in self._seconds.items()
            if test not in self._failed
        }
        self._target.write_text(json.dumps(tests), encoding="utf-8")

    def _by_file(self, test: str) -> dict[str, list[int]]:
        files: defaultdict[str, list[int]] = defaultdict(list)
        for file, line in sorted(self._lines[test]):
            files[str(Path(file).relative_to(self._root))].append(line)
        return files


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--measured", type=Path, help="where to write which test runs which lines")
    parser.addoption("--measure", default="lease", help="the folder whose lines count")


def pytest_configure(config: pytest.Config) -> None:
    target = config.getoption("measured")
    config.pluginmanager.register(Measurement(config.rootpath / config.getoption("measure"), target))
