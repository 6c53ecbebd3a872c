"""SQLite's turnstile, where many threads of one process come to it."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lease.database import turnstile
from lease.database.turnstile import Turnstile
from tests.support.waiting import wait_until

LIMIT = 10.0


def pass_once(path: str) -> bool:
    with Turnstile(path) as entrance:
        entrance.pass_within(LIMIT)
    return True


def test_of_one_process_one_thread_at_a_time_looks_whether_it_may_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty that look each millisecond took the processor from who was in, and from the renewals."""
    path = str(tmp_path / "leased.db")
    looks: list[int] = []
    pass_now = Turnstile.pass_now

    def watched(entrance: Turnstile) -> bool:
        looks.append(threading.get_ident())
        return pass_now(entrance)

    with ThreadPoolExecutor(4) as threads:
        with Turnstile(path) as first:
            assert first.pass_now()
            monkeypatch.setattr(Turnstile, "pass_now", watched)
            passes = [threads.submit(pass_once, path) for _ in range(4)]
            wait_until(lambda: len(looks) > 50, "somebody looks again and again")
            looking = set(looks)
        assert all(one.result(LIMIT) for one in passes)
    assert len(looking) == 1


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("processes")
def test_a_child_that_was_forked_while_a_thread_waited_can_pass(tmp_path: Path) -> None:
    path = str(tmp_path / "leased.db")
    with ThreadPoolExecutor(1) as threads:
        with Turnstile(path) as first:
            first.pass_within(1.0)
            waiting = threads.submit(pass_once, path)
            wait_until(lambda: path in turnstile._waiting and turnstile._waiting[path].locked(), "a thread waits")
            child = os.fork()
            if child == 0:
                os._exit(0 if pass_once(path) else 1)
        assert waiting.result(LIMIT)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
