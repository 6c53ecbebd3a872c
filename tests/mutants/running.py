"""The run of named tests in a copy of the product, in a process of their own."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.databases import VARIABLE
from tests.support.waiting import LIMIT

SECONDS = 300.0
"""Seconds that the tests of a mutant may take, on a busy machine."""
TESTS_FAILED = 1
NOT_INHERITED = ("PYTEST_", "LEASE", "PYTHONDONTWRITEBYTECODE")
"""What an environment must not say to those tests; without compiled files each of their processes would take far longer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of the tests of a copy."""

    status: int
    output: str

    def passed(self, node: str) -> bool:
        return self._says("PASSED", node)

    def failed(self, node: str) -> bool:
        """Return whether the test itself failed: not a fixture or its import, nor by a timeout."""
        return self._says("FAILED", node) and "from pytest-timeout" not in self.output

    def _says(self, word: str, node: str) -> bool:
        said = f"{word} {node}"
        return any(line == said or line.startswith(f"{said} - ") for line in self.output.splitlines())


def run_tests(
    product: Path,
    nodes: Sequence[str],
    server: str | None,
    *,
    limit: float = LIMIT,
    seconds: float = SECONDS,
    options: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Outcome:
    """Run these tests in the copy, those on PostgreSQL on the server that is there already.

    ``limit`` is how many seconds they wait for what a mutant may keep from happening, ``seconds``
    how long all of them may take: then `subprocess.TimeoutExpired`.
    """
    usual = ["-q", "--no-header", "-rpfE", "--color=no", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist"]
    usual += ["-p", "no:tests.support.sql"]  # a mutant is to be caught by what a statement does, not by its text
    command = [sys.executable, "-P", "-m", "pytest", *usual, *options, f"--basetemp={product / 'tmp'}", *nodes]
    # In a session of its own, to be killed as a whole: a mutant may leave processes behind.
    with subprocess.Popen(
        command,
        cwd=product,
        env=_environment(product, server, **{**(variables or {}), "LEASED_TEST_LIMIT": f"{limit:g}"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
        errors="replace",
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return Outcome(process.returncode, output)


def where_imported(product: Path) -> list[Path]:
    """Return the files from which a process started like those tests imports the product."""
    said = "import lease, daemon.cli, leased; print(lease.__file__, daemon.cli.__file__, leased.__file__, sep='\\n')"
    command = [sys.executable, "-P", "-c", said]
    imported = subprocess.run(
        command, cwd=product, env=_environment(product, None), capture_output=True, text=True, check=True
    )
    return [Path(line) for line in imported.stdout.splitlines()]


def _environment(product: Path, server: str | None, **more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    named = {} if server is None else {VARIABLE: server}
    return {**inherited, **named, **more, "PYTHONPATH": str(product)}
