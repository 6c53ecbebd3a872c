"""The signals that keepers and templates ignore, so that only their replica ends them.

Only the standard library, because the keeper runs this file too.
"""

import signal

_NAMES = ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "ALRM", "PIPE", "TSTP", "TTIN", "TTOU", "XFSZ")
IGNORED = tuple(getattr(signal, f"SIG{name}") for name in _NAMES)
"""All that would end or stop a process and can be ignored."""
INHERITED = [
    number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT) if signal.getsignal(number) == signal.SIG_IGN
]
RESET = tuple(number for number in IGNORED if number not in INHERITED)
"""Those that have their usual effect in a child: all but what was ignored already when this process started, as `nohup`
or a shell's `&` has it.
"""


def ignore_signals() -> None:
    """Ignore them, and block none."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
