"""How a job ended is told by the signal, and by what the kernel counts."""

from pathlib import Path

import pytest

from daemon.jobs.processes import keeper
from daemon.jobs.processes.child import ChildEnd
from daemon.jobs.processes.keeper import KillCount
from daemon.jobs.runners import child_outcome


@pytest.mark.parametrize(
    ("ended", "error"),
    [
        (ChildEnd(1, None, "exited"), "exited with status 1"),
        (ChildEnd(None, 9, "exited"), "killed by SIGKILL"),
        (ChildEnd(None, 9, "exited", out_of_memory=True), "killed by SIGKILL, probably out of memory"),
        (ChildEnd(137, None, "exited", out_of_memory=True), "exited with status 137, probably out of memory"),
        (ChildEnd(None, 35, "exited"), "killed by signal 35"),
        (ChildEnd(None, 11, "exited", error="ValueError: no"), "ValueError: no"),
    ],
)
def test_a_child_that_failed_says_how(ended: ChildEnd, error: str) -> None:
    assert child_outcome(ended).error == error


def test_its_memory_is_recorded() -> None:
    assert child_outcome(ChildEnd(0, None, "exited", peak_memory=4096)).peak_memory == 4096


@pytest.mark.parametrize(
    ("listed", "counter"),
    [
        ("0::/a/b\n", "a/b/memory.events"),
        ("0::/outside\n", "memory.events"),
        ("9:name=systemd:/\n4:cpu,memory:/a/b\n0::/\n", "memory/a/b/memory.oom_control"),
        ("4:memory:/outside\n0::/\n", "memory/memory.oom_control"),
        ("0::/\n", "vmstat"),
        ("", "vmstat"),
    ],
)
def test_the_count_is_that_of_the_closest_cgroup(
    listed: str, counter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text(listed)
    file = tmp_path / counter
    file.parent.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(keeper, "CGROUPS", str(tmp_path))
    monkeypatch.setattr(keeper, "PROC", str(tmp_path))
    assert not KillCount().has_grown(), "nothing is counted"
    file.write_text("under_oom 0\noom_kill 41\noom_group_kill 50\n")
    count = KillCount()
    assert not count.has_grown()
    file.write_text("under_oom 0\noom_kill 42\noom_group_kill 50\n")
    assert count.has_grown()
    file.unlink()
    assert not count.has_grown()
