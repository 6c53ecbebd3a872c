"""Copies of the product with its tests for a mutant: hard links, except for changed files."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.mutant import Edit

ROOT = Path(__file__).parents[2]
COPIED = ("lease", "daemon", "leased.py", "tests", "examples", "deploy", "docs", "pyproject.toml")


def copy_product(target: Path, parts: Iterable[str] = COPIED, root: Path = ROOT) -> Path:
    """Copy what the tests need, also compiled files: they save a second in each process."""
    target.mkdir()
    for part in parts:
        source = root / part
        if source.is_dir():
            shutil.copytree(source, target / part, copy_function=_copy_if_there)
        else:
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / part)
    return target


def copy_mutated(product: Path, target: Path, edits: Iterable[Edit]) -> Path:
    """Make another copy out of links, and apply the edits to it."""
    shutil.copytree(product, target, copy_function=os.link)
    for edit in edits:
        path = target / edit.file
        text = edit.apply(path.read_text(encoding="utf-8"))
        path.unlink()
        path.write_text(text, encoding="utf-8")
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()
    return target


def _copy_if_there(source: str, target: str) -> None:
    """Copy a file if it still exists: other processes may replace compiled files meanwhile."""
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        if "__pycache__" not in source:
            raise
