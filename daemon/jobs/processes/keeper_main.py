"""The entry point of a keeper that is started anew, and what it is told.

`python -I -S keeper_main.py CONTROL TRUST REPORT LIMIT PARENT REMOVE`: a socket to the replica, the address of the
trust page, the report pipe, how many descriptors the child may open or -1 for as many as the keeper, the
replica's process id, and the path of a file to remove at the end or nothing. The first three are inherited descriptors.
It is small, because Python compiles a script at each start.
"""

import os
import sys

TYPE_CHECKING = False  # as in the keeper
if TYPE_CHECKING or __package__:
    from .keeper import Keeper, become_keeper
else:  # run as an isolated script: this folder is not on the path
    sys.path.append(os.path.dirname(__file__))  # noqa: PTH120 (pathlib takes longer than the rest)
    from keeper import Keeper, become_keeper


def main() -> None:
    control, report, limit, parent = (int(sys.argv[place]) for place in (1, 3, 4, 5))
    trust, place, number = map(int, sys.argv[2].split(":"))
    for descriptor in (control, trust, report):
        os.set_inheritable(descriptor, False)
    become_keeper()
    try:
        Keeper(control, (trust, place, number), report, limit, parent=parent).keep()
    finally:
        remove(sys.argv[6])


def remove(path: str) -> None:
    """Remove a file that is there for the child alone, if there is one."""
    if path:
        try:
            os.unlink(path)  # noqa: PTH108 (no pathlib here)
        except OSError:
            return


if __name__ == "__main__":
    main()
