"""A memory cgroup of a test's own, where the machine lets it make one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from tests.support.waiting import wait_until

ROOT = Path("/sys/fs/cgroup")
KINDS = (
    (ROOT / "memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.oom_control"),
    (ROOT, "memory.max", "memory.swap.max", "memory.events"),
)
"""Of version 1 and of version 2: its folder, its limits without and with swap, and what counts kills."""


@dataclass(frozen=True, slots=True)
class MemoryCgroup:
    folder: Path

    @classmethod
    @contextmanager
    def made(cls, limit: int) -> Iterator[Self]:
        """Make one with a limit in bytes; skip the test where that is not possible."""
        for root, most, with_swap, counter in KINDS:
            folder = root / f"leased-test-{os.getpid()}"
            try:
                folder.mkdir()
            except OSError:
                continue
            try:
                if _limited(folder, most, with_swap, limit) and (folder / counter).exists():
                    yield cls(folder)
                    return
            finally:
                wait_until(lambda: not (folder / "cgroup.procs").read_text(), "its processes are gone")  # noqa: B023
                folder.rmdir()
        pytest.skip("this user cannot make a memory cgroup on this machine, so no process is killed for memory")

    def add(self, pid: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(pid))


def _limited(folder: Path, most: str, with_swap: str, limit: int) -> bool:
    try:
        (folder / most).write_text(str(limit))
        if (folder / with_swap).exists():
            (folder / with_swap).write_text(str(limit if "memsw" in with_swap else 0))
    except OSError:
        return False
    return True
