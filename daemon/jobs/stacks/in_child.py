"""A function child's part: on a signal, faulthandler writes the stack of the thread that gets it onto the report pipe.

The signal is SIGURG. It does nothing to a process that does not handle it: one that has just replaced its program, or
whose process id is another's by now, is not harmed. The descriptor is opened anew, so that its writes never wait. Only
the thread that gets the signal writes its own stack: that of another thread can change while it is read, which crashes
the process.
"""

import os
import signal

SIGNAL = signal.SIGURG


def answer_signal(report: int) -> None:
    """Have the stack written to the pipe ``report`` on each signal, unless FILE handles the signal itself."""
    try:
        if catches(os.getpid()):
            return
        import faulthandler  # noqa: PLC0415 - here, for what has no signals

        pipe = os.open(f"/proc/self/fd/{report}", os.O_WRONLY | os.O_NONBLOCK)
        faulthandler.register(SIGNAL, file=pipe, all_threads=False)
    except (OSError, RuntimeError, AttributeError):  # the job goes on without
        return


def catches(pid: int) -> bool:
    """Return whether a process handles the signal, in whatever way."""
    with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123 - no pathlib in each child
        for line in file:
            if line.startswith(b"SigCgt:"):
                return bool(int(line.split()[1], 16) >> (SIGNAL - 1) & 1)
    return False
