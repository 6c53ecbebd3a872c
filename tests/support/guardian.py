"""Cleaning up after a test process, whatever ends it."""

import subprocess
from pathlib import Path

# The end of the pipe is its word: it comes when `end` is called, and when the test process dies, SIGKILL included.
SCRIPT = """
cat >/dev/null
if pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null); then
  kill -QUIT "$pid" && kill -CONT "$pid"
  while kill -0 "$pid"; do sleep 0.05; done
fi 2>/dev/null
rm -rf "$1"
"""


class Guardian:
    """A shell beside a temporary folder: stops the PostgreSQL server in it, if there is one, and removes it."""

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
