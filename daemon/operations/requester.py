"""The requester of a run, as it is recorded."""

import getpass
import socket


def requester() -> str:
    """Return the user and the host: ``ann@web-1``."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in a container
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
