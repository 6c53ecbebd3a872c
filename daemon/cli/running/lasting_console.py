"""A console whose program goes on when nobody reads its output any more."""

import os

from rich.console import Console


class LastingConsole(Console):
    """Writes until its reader has gone, and nothing from then on; a `Console` would end the program.

    It leaves the cursor alone: a process that must end at once could not show it again.
    """

    def show_cursor(self, show: bool = True) -> bool:
        """Do nothing."""
        return not show

    def on_broken_pipe(self) -> None:
        """Send what follows nowhere, even what Python still holds back for its exit."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)
