"""The work of a template: a fork for each request of its replica, which becomes a keeper (rule 20).

Only the standard library, and little of that: `python -I -S forks.py REQUESTS PARENT` is the bare template, whose
keepers start commands. A request is `fork` with the descriptors of a keeper's brief, its socket, the trust page, the
output, and the report pipe; or `reap <pid>`. Each gets one answer: `forked <pid>`, `failed <errno>`,
`ended <pid> <status>`, or `alive <pid>`.
"""

import errno
import gc
import os
import select
import signal
import socket
import sys

TYPE_CHECKING = False  # typing takes longer to import than all of this
if TYPE_CHECKING or __package__:
    from collections.abc import Callable, Mapping
    from typing import NoReturn

    from ..processes.keeper import Keeper, become_keeper, ignore_signals, spawn
    from ..processes.keeper_main import remove
    from ..processes.process_tree import die_with
else:  # run as an isolated script: the keeper's folder is not on the path
    _HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 (no pathlib here)
    sys.path.append(os.path.join(os.path.dirname(_HERE), "processes"))  # noqa: PTH118, PTH120
    from keeper import Keeper, become_keeper, ignore_signals, spawn
    from keeper_main import remove
    from process_tree import die_with

_DESCRIPTORS = 5
_LAST_MOMENT = 1000
"""Milliseconds between the end of a process's sockets and its own, at most."""


class Forks:
    """Forks for the replica ``parent``, at the other end of ``requests``; raises OSError where the kernel has no pidfd."""

    def __init__(self, requests: int, parent: int) -> None:
        self._requests = socket.socket(fileno=requests)
        self._replica = os.pidfd_open(parent)
        die_with(parent)  # also while FILE is being loaded, or this process is stopped

    def give_up(self, why: str) -> "NoReturn":
        """Tell the replica why there will be no forks, and end this process."""
        self._say(f"unfit {why}"[:1000])
        os._exit(1)

    def _say(self, word: str) -> None:
        self._requests.send(word.encode(errors="replace"))

    def serve(self, begin: "Callable[[tuple[bytes, ...], Mapping[bytes, bytes]], int]" = spawn) -> None:
        """Answer requests until the replica is gone, which ends this process; return in each child that ``begin`` forks."""
        ignore_signals()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # FILE may ignore it, or collect what ends
        self._say("ready")
        poll = select.poll()
        poll.register(self._requests, select.POLLIN)
        poll.register(self._replica, select.POLLIN)
        try:
            while self._replica not in dict(poll.poll()):
                request, descriptors = self._receive()
                if not request:
                    break
                if request != b"fork":
                    self._say(_reaped(int(request.split()[1])))
                elif len(descriptors) < _DESCRIPTORS:  # there was room here for no more
                    self._say(f"failed {errno.EMFILE}")
                elif self._fork() == 0:
                    self._requests.close()
                    _keep(descriptors, self._replica, begin)
                    return
                for descriptor in descriptors:
                    os.close(descriptor)
        except OSError:  # the replica has closed its end
            pass
        os._exit(0)

    def _receive(self) -> tuple[bytes, list[int]]:
        """Return the next request with its descriptors; nothing if there will be none."""
        size = 4 * _DESCRIPTORS
        request, others, _, _ = self._requests.recvmsg(64, socket.CMSG_SPACE(size), socket.MSG_CMSG_CLOEXEC)
        raw = b"".join(data for _, _, data in others)
        return request, [int.from_bytes(raw[at : at + 4], sys.byteorder) for at in range(0, len(raw), 4)]

    def _fork(self) -> int:
        try:
            pid = os.fork()
        except OSError as error:
            self._say(f"failed {error.errno}")
            return -1
        if pid:
            self._say(f"forked {pid}")
        return pid


def _reaped(pid: int) -> str:
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return f"ended {pid} 0"
    return f"ended {pid} {os.waitstatus_to_exitcode(status)}" if ended else f"alive {pid}"


def _keep(
    descriptors: list[int], replica: int, begin: "Callable[[tuple[bytes, ...], Mapping[bytes, bytes]], int]"
) -> None:
    """Be a keeper until this process ends; return in its child alone, where that is forked."""
    params_file, keeper, failed = "", None, True
    try:
        os.setsid()
        told, control, trust, printed, report = descriptors
        page, limit, params_file, environment = _brief(told)
        for stream in (1, 2):
            os.dup2(printed, stream)
        os.close(printed)
        os.environb.clear()
        os.environb.update(environment)
        os.environ["LEASED_REPORT_FD"] = str(report)
        os.environ["LEASED_TRUST"] = ":".join(map(str, (trust, *page)))
        become_keeper()
        keeper = Keeper(control, (trust, *page), report, limit, replica=replica, begin=begin)
        keeper.keep()
        if keeper.child == 0:
            keeper.let_go()
            return
        failed = False
    except SystemExit:  # it has refused the command
        pass
    except BaseException:  # noqa: BLE001 - a forked process has nobody above it
        sys.excepthook(*sys.exc_info())
    if params_file and ((keeper is not None and keeper.child) or _ends(replica)):
        remove(params_file)
    os._exit(failed)


def _ends(replica: int) -> bool:
    """Return whether the replica is gone or on its way. One that lives may have given this keeper
    up for another one, to whose child the file belongs; it removes that itself.
    """
    poll = select.poll()
    poll.register(replica, select.POLLIN)
    return bool(poll.poll(_LAST_MOMENT))


def write_brief(page: tuple[int, int], limit: int, params_file: str, environment: "Mapping[bytes, bytes]") -> int:
    """Write what a keeper that is forked is told, beside its descriptors, to memory: the place and number of a trust page,
    the limit of descriptors, a file to remove or nothing, and the environment. Return the descriptor of that. Raises
    ValueError for what no environment can have.
    """
    words = [b"%d" % number for number in (*page, limit)] + [os.fsencode(params_file)]
    words += [name + b"=" + value for name, value in environment.items()]
    if any(b"\0" in word for word in words) or any(not name or b"=" in name for name in environment):
        raise ValueError("a variable of the environment has no name, or contains a NUL character")
    descriptor = os.memfd_create("leased-keeper")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(b"\0".join(words))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _brief(descriptor: int) -> "tuple[tuple[int, int], int, str, Mapping[bytes, bytes]]":
    """Return what `write_brief` wrote."""
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        place, number, limit, params_file, *entries = file.read().split(b"\0")
    environment = {name: value for name, _, value in (entry.partition(b"=") for entry in entries)}
    return (int(place), int(number)), int(limit), os.fsdecode(params_file), environment


if __name__ == "__main__":
    gc.freeze()
    Forks(*map(int, sys.argv[1:3])).serve()
