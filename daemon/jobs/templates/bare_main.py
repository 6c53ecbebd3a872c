"""The entry point of the bare template: `python -I -S bare_main.py REQUESTS PARENT`.

Its keepers start commands. It imports only the standard library, and little of that.
"""

import gc
import os
import sys

TYPE_CHECKING = False  # as in the keeper
if TYPE_CHECKING or __package__:
    from .forks import Forks
else:  # run as an isolated script: neither this folder nor the keeper's is on the path
    _HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 (no pathlib here)
    sys.path += [_HERE, os.path.join(os.path.dirname(_HERE), "processes")]  # noqa: PTH118, PTH120
    from forks import Forks


def main() -> None:
    """Serve the replica until it is gone."""
    gc.freeze()
    Forks(*map(int, sys.argv[1:3])).serve()


if __name__ == "__main__":
    main()
