"""The alert rules that we ship, and promtool, which tries them."""

import shutil
import subprocess

import pytest

from tests.docs.pages import ROOT
from tests.support.waiting import LIMIT

RULES = ROOT / "deploy" / "alerts.yml"


def promtool(*words: str) -> None:
    """Run it; AssertionError with what it says unless it agrees."""
    if (found := shutil.which("promtool")) is None:
        pytest.skip(
            "the alert rules are tried by promtool: apt-get install promtool (Debian), or brew install prometheus"
        )
    done = subprocess.run([found, *words], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
