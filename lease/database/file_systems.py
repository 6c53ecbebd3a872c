"""The file system that an SQLite file is on. SQLite's WAL is in memory that the processes of one machine share, and
its locks are not those of a network.

It stands apart because whoever examines a machine asks it, too.
"""

import os
from contextlib import suppress
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""Where Linux tells what is mounted; elsewhere nothing is known."""
_NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "coda"),
        *("ceph", "lustre", "gpfs", "beegfs", "glusterfs", "gfs2", "ocfs2", "orangefs"),
        *("sshfs", "s3fs", "rclone", "gcsfuse", "davfs", "goofys", "juicefs"),
    }
)


def network_file_system(file: str) -> str | None:
    """Return the kind of network file system that ``file`` is on (``nfs4``, ``fuse.sshfs``), if it is on one."""
    with suppress(OSError):
        device = os.stat(file if Path(file).exists() else Path(file).parent).st_dev  # noqa: PTH116 - one of two
        number = f"{os.major(device)}:{os.minor(device)}"
        for line in MOUNTS.read_text(errors="replace").splitlines():
            place, _, mounted = line.partition(" - ")
            kind = mounted.partition(" ")[0]
            if place.split(" ", 3)[2] == number and kind.removeprefix("fuse.") in _NETWORK:
                return kind
    return None
