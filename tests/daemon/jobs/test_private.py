"""What jobs use of Python's private parts is there, in this version."""

import asyncio
import random
import re
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from types import FrameType

import pytest

import daemon
from daemon.jobs.private import context_of, is_of_callback, raise_in, shared_random
from tests.support.programs import ran

PRIVATE = re.compile(
    r"random\._inst|threading\._shutdown|_run_exitfuncs|Handle\._run|(handle|callback)\._context|SetAsyncExc|memmove|_color_system"
)
"""All of them: none is named anywhere else in the daemon."""
ENDS = """
import atexit, os, threading, time
from daemon.jobs.private import end_threads_and_exits
atexit.register(print, "at the exit", flush=True)
threading.Thread(target=lambda: (time.sleep(0.05), print("of the thread", flush=True))).start()
end_threads_and_exits()
os._exit(0)
"""
SHOWS = """
from pathlib import Path
from daemon.jobs.private import ShownVariable
ShownVariable("LEASED_TRIED").show("OTHER", b"told")
print(Path("/proc/self/environ").read_bytes().split(b"\\0"))
"""


def test_an_interpreter_waits_for_its_threads_and_calls_what_is_registered() -> None:
    assert ran([sys.executable, "-c", ENDS]).stdout == "of the thread\nat the exit\n", (
        "this Python's end has other names"
    )


def test_the_generator_behind_the_functions_is_known() -> None:
    shared_random().seed(7)
    drawn = random.random()
    shared_random().seed(7)
    assert random.random() == drawn, "this Python's random functions are of another generator"


def test_an_error_is_raised_in_a_thread() -> None:
    raised, began = threading.Event(), threading.Event()

    def work() -> None:
        try:
            began.set()
            while True:
                raised.wait(0.001)
        except KeyError:
            raised.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    began.wait()
    raise_in(thread.ident or 0, KeyError)
    assert raised.wait(60.0), "this Python raises no errors in threads: what blocks a loop cannot be ended"


def test_the_frame_and_the_context_of_a_callback_are_found() -> None:
    job, loop, found = ContextVar("job", default=""), asyncio.new_event_loop(), list[FrameType]()

    def callback() -> None:
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            found.extend([frame] if is_of_callback(frame) else [])
            frame = frame.f_back

    job.set("nightly")
    handle = loop.call_soon(callback)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert len(found) == 1, "this Python's event loop calls its callbacks elsewhere: who blocks it is not found"
    assert context_of(handle)[job] == "nightly"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc: use Linux")
def test_another_variable_is_shown() -> None:
    shown = ran([sys.executable, "-c", SHOWS], LEASED_TRIED="x" * 40).stdout
    assert "b'OTHER=told'" in shown, "the environment that the kernel shows is elsewhere"
    assert "LEASED_TRIED" not in shown


def test_no_other_module_of_the_daemon_names_a_private_part_of_others() -> None:
    folder = Path(daemon.__file__).parent
    naming = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if PRIVATE.search(path.read_text())}
    assert naming == {"jobs/private.py"}
