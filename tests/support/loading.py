"""The packages that a fresh interpreter loads for some code, without the standard library."""

import json
import os
import subprocess
import sys
from pathlib import Path

from .waiting import LIMIT

ROOT = Path(__file__).parents[2]

_BEGIN = """
import sys
before = set(sys.modules)
"""
_END = """
import json
names = {name.partition(".")[0] for name in sys.modules.keys() - before} - sys.stdlib_module_names
sys.stdout.write(chr(10) + json.dumps(sorted(names)))
"""


def loaded_by(code: str) -> set[str]:
    """Run ``code`` as a program, and return the packages that are loaded at its end."""
    return _loaded(code)


def loaded_by_command(*arguments: str) -> set[str]:
    """Run `leased` with these arguments, and return the packages that are loaded at its end."""
    return _loaded(f"import leased\nsys.argv[1:] = {arguments!r}\nleased.main()")


def _loaded(code: str) -> set[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LEASED_")}
    done = subprocess.run(
        [sys.executable, "-c", f"{_BEGIN}{code}\n{_END}"],
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))
