"""Copies of the product with its tests, in which a mutant may live: hard links, but for the files that it changes."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.mutant import Edit

ROOT = Path(__file__).parents[2]
PARTS = ("lease", "daemon", "leased.py", "tests", "examples", "pyproject.toml")


def copy_product(target: Path, parts: Iterable[str] = PARTS) -> Path:
    """Copy what tests of the product need, its compiled files too, for they save a second in each process."""
    target.mkdir()
    for part in parts:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, copy_function=_copy_if_there)
        else:
            shutil.copy2(source, target / part)
    return target


def copy_mutated(product: Path, target: Path, edits: Iterable[Edit]) -> Path:
    """Make another copy, of links, and apply the edits to it."""
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
    """Others may be at work in the folder: a compiled file can go while we copy."""
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        if "__pycache__" not in source:
            raise
