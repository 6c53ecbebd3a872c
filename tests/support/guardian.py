"""The cleanup after a test process, however it ends."""

import subprocess
from pathlib import Path

# The pipe closes when `end` is called, or the test process dies, even by SIGKILL: then clean up.
SCRIPT = """
cat >/dev/null
if pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null); then
  kill -QUIT "$pid" && kill -CONT "$pid"
  while kill -0 "$pid"; do sleep 0.05; done
fi 2>/dev/null
rm -rf "$1"
"""


class Guardian:
    """A shell beside a temporary folder: it stops a PostgreSQL server in it, and removes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "guardian", str(folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
        )

    def end(self) -> None:
        self._shell.communicate()
