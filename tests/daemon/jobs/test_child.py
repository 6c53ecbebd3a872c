"""Child processes as the replica sees them (rule 20)."""

import asyncio
import os
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

import daemon.jobs.processes.child
from daemon.jobs.output import KEPT_BYTES, MOST_BYTES, Output
from daemon.jobs.processes.child import Child
from daemon.jobs.processes.identity import is_alive
from daemon.jobs.processes.spawn import ChildNotStarted, start_keeper
from daemon.jobs.processes.trust_page import TrustPage
from daemon.jobs.reports import Progress
from daemon.jobs.templates.templates import Template
from lease.clock import boottime
from tests.daemon.jobs.conftest import Lines, Start, begun, end_of, printed, up
from tests.daemon.jobs.family import FAMILY, linux, living, open_descriptors, pids
from tests.daemon.jobs.trust import a_page
from tests.daemon.jobs.ways import wait_until_ended
from tests.support.starvation import Starvation

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("processes"), pytest.mark.sampled(1)]


async def test_status_and_output_come_back(start: Start) -> None:
    lines = Lines()
    child = await begun(start, "sh", "-c", "echo one; echo two >&2; printf three; exit 3", output=Output(lines))
    ended = await end_of(child)
    assert (ended.status, ended.signal, ended.why) == (3, None, "exited")
    assert lines.all == ["one", "two", "three"]
    assert printed(child) == "one\ntwo\nthree"


async def test_the_keeper_is_known_before_the_child_runs(start: Start, tmp_path: Path) -> None:
    child = await start("touch", str(tmp_path / "ran"))
    assert is_alive(child.keeper) is (True if sys.platform == "linux" else None)
    assert child.pid is None
    assert not (tmp_path / "ran").exists()
    await child.go()
    assert (await end_of(child)).status == 0
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("argv", "cwd", "sentence"),
    [
        (["no-such-command", "x"], None, "command not found: no-such-command"),
        (["/no/such/command"], None, "command not found: /no/such/command"),
        (["/etc/passwd"], None, r"permission denied: /etc/passwd \(is it an executable file\?\)"),
        (["{folder}/lost"], None, "interpreter not found: the one named in the first line of .*/lost"),
        (["{folder}/text"], None, "not a program: .*/text"),
        (["true"], "/no/such/folder", "folder not found: /no/such/folder"),
    ],
)
@pytest.mark.sampled(6)
async def test_a_command_that_cannot_run_is_one_sentence(
    start: Start, tmp_path: Path, argv: list[str], cwd: str | None, sentence: str
) -> None:
    for name, text in (("lost", "#!/no/such/interpreter\n"), ("text", "\0\1\2")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    child = await start(*(word.format(folder=tmp_path) for word in argv), cwd=cwd)
    with pytest.raises(ChildNotStarted, match=sentence):
        await child.go()
    ended = await end_of(child)
    assert (ended.status, ended.why) == (None, "refused")


@pytest.mark.parametrize("argv", [[], ["a\0b"]])
@pytest.mark.sampled(2)
async def test_no_command_at_all_is_one_sentence(start: Start, argv: list[str]) -> None:
    with pytest.raises(ChildNotStarted, match="not a command"):
        await start(*argv)


async def started_and_ended(argv: list[str], **more: Any) -> None:
    child = await Child.spawn(argv, **more)
    try:
        await child.go()
    finally:
        await end_of(child)


async def test_an_environment_that_is_too_large_is_one_sentence_and_leaks_nothing(
    trust: TrustPage, template: Template | None
) -> None:
    before = open_descriptors()
    env = {"X": "x" * 4_000_000}
    with pytest.raises(
        ChildNotStarted, match=r"(could not start a keeper for|can't run) true: .*Argument list too long"
    ):
        await started_and_ended(["true"], cwd=None, env=env, trust=trust, template=template, output=Output(Lines()))
    assert open_descriptors() == before


async def test_folder_environment_and_arguments_reach_the_command(start: Start, tmp_path: Path) -> None:
    argv = ["/bin/sh", "-c", 'pwd; echo "$GREETING"; printf "%s|" "$@"', "sh", "ä b", "", "two\nlines", "-x"]
    child = await begun(start, *argv, cwd=str(tmp_path), env={"GREETING": "grüß"})
    await end_of(child)
    assert printed(child) == f"{tmp_path}\ngrüß\nä b||two\nlines|-x|"


async def test_kill_ends_the_whole_tree(start: Start) -> None:
    child, line, _ = await up(start, *FAMILY)
    members = pids(line)
    child.kill()
    ended = await end_of(child)
    assert (ended.signal, ended.why) == (signal.SIGKILL, "killed")
    if sys.platform == "linux":
        assert living(members) == []


async def test_a_child_that_is_killed_before_it_was_started_never_runs(start: Start, tmp_path: Path) -> None:
    child = await start("touch", str(tmp_path / "ran"))
    child.kill()
    with pytest.raises(ChildNotStarted, match=r"ended before it was started \(killed\)"):
        await child.go()
    assert (await end_of(child)).why == "killed"
    assert not (tmp_path / "ran").exists()


@linux
async def test_a_killed_keeper_is_noticed_and_its_tree_ended_and_told(start: Start, starvation: Starvation) -> None:
    child, line, lines = await up(start, *FAMILY)
    members = pids(line)
    assert len(living(members)) == 3
    killed = boottime()
    os.kill(child.keeper.pid, signal.SIGKILL)
    ended = await end_of(child)
    starvation.assert_within(1.0, killed, boottime(), "its tree is ended")
    assert (ended.status, ended.why) == (None, "abandoned")
    assert living(members) == []
    assert "leased: the keeper of this job died; killing the job's processes" in lines


@linux
async def test_a_keeper_that_is_stopped_does_not_save_its_tree(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon.jobs.processes.child, "PATIENCE", 0.2)
    child, line, _ = await up(start, *FAMILY)
    members = pids(line)
    os.kill(child.keeper.pid, signal.SIGSTOP)
    child.kill()
    assert (await end_of(child)).why == "killed"
    assert living(members) == []


async def test_fifty_megabytes_block_nothing_and_take_no_memory(start: Start) -> None:
    seen = 0

    def count(lines: Sequence[str]) -> None:
        nonlocal seen
        seen += sum(len(line) + 1 for line in lines)

    program = "import sys\nfor _ in range(50): sys.stdout.write(('x' * 99 + '\\n') * 10_000)\nprint('end')"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = await begun(start, sys.executable, "-c", program, output=Output(count))
    ended = await end_of(child)
    unit = 1024 if sys.platform == "linux" else 1
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 10_000_000
    assert seen == 50_000_000 + 4
    assert ended.status == 0
    kept = child._pipes.output._transcript.close()
    assert kept is not None
    assert kept.text.endswith("x\nend\n")
    assert (kept.start + kept.size, kept.line + kept.lines) == (50_000_004, 500_001)
    assert KEPT_BYTES <= kept.size < MOST_BYTES


async def test_an_escaped_process_that_keeps_the_output_open_holds_up_nothing(start: Start) -> None:
    # Somebody who is no descendant has the writing end: here, ourselves.
    child = await start("echo", "done")
    writing = os.open(f"/proc/{child.keeper.pid}/fd/1", os.O_WRONLY) if sys.platform == "linux" else None
    await child.go()
    await end_of(child)
    assert printed(child) == "done\n"
    if writing is not None:
        os.close(writing)


@linux
async def test_what_the_job_left_running_is_killed_and_said(start: Start) -> None:
    child, line, _ = await up(start, "sh", "-c", "setsid sleep 1000 & sleep 1000 & echo pids $! ; exit 4")
    ended = await end_of(child)
    assert (ended.status, ended.why, ended.leftovers) == (4, "exited", 2)
    assert living(pids(line)) == []
    assert "left running were killed" in printed(child)


async def test_a_function_child_reports_progress_and_its_error(start: Start) -> None:
    program = """
import os
from daemon.jobs.reports import Failure, Progress, ReportPipe
os.write(int(os.environ["LEASED_REPORT_FD"]), b'nonsense\\n{"progress": 1}\\n[]\\n\\xff\\n')
pipe = ReportPipe(int(os.environ["LEASED_REPORT_FD"]))
pipe.send(Progress(1, 3, "ä\\n" * 1000))
pipe.send(Progress(2.5))
pipe.send(Failure("x" * 100_000 + "last line"))
"""
    progress: list[Progress] = []
    child = await begun(start, sys.executable, "-c", program, output=Output(Lines(), progress.append))
    ended = await end_of(child)
    assert ended.status == 0, printed(child)
    assert progress == [Progress(1, 3, "ä\n" * 250), Progress(2.5)]
    assert ended.error is not None
    assert ended.error.endswith("xlast line")
    assert len(ended.error) == 16 * 1024


async def test_a_replica_that_does_not_read_holds_up_no_progress(template: Template | None) -> None:
    page = a_page(boottime() + 3600)
    program = """
import os
from daemon.jobs.reports import Progress, ReportPipe
pipe = ReportPipe(int(os.environ["LEASED_REPORT_FD"]))
for n in range(20_000):
    pipe.send(Progress(n))
print("through", flush=True)
"""
    kept = start_keeper([sys.executable, "-c", program], None, dict(os.environ), page, template=template)
    kept.control.setblocking(True)
    kept.control.sendall(kept.order)
    os.set_blocking(kept.printed, True)
    assert os.read(kept.printed, 100).startswith(b"through")
    kept.close()
    wait_until_ended(kept.process)
    page.close()


async def test_a_listener_that_fails_stops_nothing(start: Start) -> None:
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, about: problems.append(about["exception"]))

    def fail(lines: Sequence[str]) -> None:
        raise RuntimeError(*lines)

    child = await begun(start, "sh", "-c", "echo a; echo b", output=Output(fail))
    await end_of(child)
    assert printed(child) == "a\nb\n"
    told = [problem.args for problem in problems if isinstance(problem, RuntimeError)]
    assert [line for lines in told for line in lines] == ["a", "b"]


async def test_many_children_at_once_leave_nothing_behind(start: Start) -> None:
    descriptors, threads = open_descriptors(), threading.active_count()
    some = [await start("sh", "-c", f"echo {n}") for n in range(20)]
    async with anyio.create_task_group() as group:
        for child in some:
            group.start_soon(child.go)
    for child in some:
        await end_of(child)
    assert [printed(child) for child in some] == [f"{n}\n" for n in range(20)]
    assert open_descriptors() <= descriptors
    assert threading.active_count() <= threads


async def test_waiting_may_be_cancelled_and_the_child_goes_on(start: Start) -> None:
    child = await begun(start, "sleep", "1000")
    with anyio.move_on_after(0.05) as scope:
        await child.ended()
    assert scope.cancelled_caught
    assert child.pid is not None
    assert living([child.pid]) == [child.pid]


def test_a_loop_that_ends_takes_its_children_along(template: Template | None) -> None:
    page = a_page(boottime() + 3600)

    async def leave() -> Child:
        env = dict(os.environ)
        child = await Child.spawn(
            ["sleep", "1000"], cwd=None, env=env, trust=page, template=template, output=Output(print)
        )
        await child.go()
        return child

    child = asyncio.run(leave())
    wait_until_ended(child._kept.process)
    assert child.pid is not None
    assert living([child.pid]) == []
    page.close()


async def test_a_report_in_the_middle_of_a_stack_is_read_and_the_stack_is_whole(start: Start) -> None:
    """A stack is written in many small pieces, and another thread may report between two of them."""
    written = [
        'Stack (most recent call first):\n  File "/srv/{"',
        '{"progress": {"done": 1, "total": null, "message": null}}\n',
        '.py", line 7 in works\n',
    ]
    done: list[Progress] = []
    program = f"import os; os.write(int(os.environ['LEASED_REPORT_FD']), {''.join(written).encode()!r})"
    child = await start(sys.executable, "-c", program, env={}, output=Output(Lines(), done.append))
    taken = child._pipes.others = []
    await child.go()
    await end_of(child)
    assert done == [Progress(1)]
    assert taken == [b"Stack (most recent call first):", b'  File "/srv/{".py", line 7 in works']
