"""The shop of one situation: its FILE, its replicas on SQLite in a folder, and the commands that one on call has."""

import signal
from collections.abc import Mapping
from pathlib import Path

from lease.sync import Lease, LeaseClient
from tests.support.replicas import ReplicaProcess, Story
from tests.support.starter import Starter
from tests.support.waiting import LIMIT, wait_until

NORMAL = {"every": '"2s"', "jobs": '[{ name = "write", command = "echo 12 orders", timeout = "1h" }]'}
"""The settings of the schedule `report`, in which everything is as it should be."""
OTHERS = """
[schedules.stock]
on_request = true
jobs = [{ name = "count", command = "sleep 600", timeout = "1h" }]

[schedules.mail]
on_request = true
priority = "high"
overlap = "allow"
jobs = [{ name = "send", command = "sleep 30", timeout = "1h" }]
"""


class Desk(Story):
    """A shop in which something will be wrong."""

    def __init__(self, folder: Path, starter: Starter) -> None:
        super().__init__(folder, f"sqlite:///{folder / 'leased.db'}", starter)
        self._held: list[tuple[LeaseClient, Lease]] = []

    def close(self) -> None:
        """Let go what this process itself holds."""
        for client, held in self._held:
            held.release()
            client.__exit__()

    def deploy(self, *, head: str = "", name: str | None = "report", **settings: str) -> str:
        """Write FILE, with these settings of `report` instead of the normal ones, and return its path."""
        report = {**NORMAL, **settings}
        lines = [f"{key} = {value}" for key, value in report.items() if value]
        table = [] if name is None else [f"[schedules.{name}]", *lines]
        text = "\n".join(('application = "shop"', head, *table, OTHERS))
        return self.write_file("shop.toml", text)

    def run(self, file: str, **environment: str) -> ReplicaProcess:
        """Start a replica, and wait until it says how its definitions stand."""
        given: Mapping[str, str] = {"LEASED_DATABASE_URL": self.url, **environment}
        replica = self.start_bare(file, environment=given)
        replica.wait_for_standing()
        return replica

    def work(self, file: str | None = None) -> ReplicaProcess:
        """Start a replica, and wait until `report` has succeeded."""
        replica = self.run(file or self.deploy())
        self.over("report")
        return replica

    def stop(self, replica: ReplicaProcess) -> None:
        """End a replica in order."""
        replica.send(signal.SIGTERM)
        replica.wait()

    def ask(self, *command: str) -> str:
        """Return what a command prints."""
        asked = self.leased(*command)
        asked.wait()
        return asked.output

    def until(self, *command: str, says: str) -> None:
        """Wait until a command prints this text."""
        wait_until(lambda: says in self.ask(*command), f"{command} says {says!r}", limit=2 * LIMIT)

    def hold(self, name: str, label: str) -> None:
        """Hold a lease as another program does, until this is closed."""
        client = LeaseClient(self.url, label=label).__enter__()
        self._held.append((client, client.acquire(name, wait=LIMIT)))

    def _show(self) -> None:
        """Print nothing: that would give it away."""
