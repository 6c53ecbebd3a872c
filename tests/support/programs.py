"""Programs that a test runs to their end."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.starter import ROOT
from tests.support.waiting import LIMIT


def ran(
    words: Sequence[str | Path],
    folder: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    *,
    limit: float = LIMIT,
    **more: str,
) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder: by default in the environment of the test, where it can import the project."""
    given = {**os.environ, "PYTHONPATH": str(ROOT)} if environment is None else environment
    return subprocess.run(
        words, cwd=folder, env={**given, **more}, capture_output=True, text=True, check=False, timeout=limit
    )
