"""Async jobs share a thread; none of them can end it."""

import sys

import pytest

from daemon.jobs.task_thread import TaskThread
from tests.support.waiting import LIMIT


@pytest.mark.parametrize(("code", "told"), [(3, SystemExit), (0, type(None))])
def test_sys_exit_ends_its_own_job_only(code: int, told: type) -> None:
    async def leave(_: object) -> None:
        sys.exit(code)

    async def well(_: object) -> None:
        return

    thread = TaskThread()
    assert isinstance(thread.start(leave, None).ended.result(LIMIT), told)
    assert thread.start(well, None).ended.result(LIMIT) is None
    thread.stop()
