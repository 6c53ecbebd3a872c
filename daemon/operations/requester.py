"""Who asks for something, as it is recorded."""

import getpass
import socket


def requester() -> str:
    """Return the user and the host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in a container
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
