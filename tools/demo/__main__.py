"""The demo of the pages: `python -m tools.demo`, or `make demo-page`.

It fills a new SQLite database with the past of a shop and starts two replicas, web-1 and web-2. One of them is killed
once, so that the other resumes what it did. The demo ends at Ctrl-C, and leaves nothing unless it is to keep its folder.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, select, update

from daemon.definitions.sources.load import load
from daemon.store.tables import act, job_run, run, schedule
from lease.database.address import parse_address
from lease.database.backend import ConnectionSettings
from lease.database.connections import connected, write_transaction

from .past import PAUSED, add_due, fill

FILE = Path(__file__).with_name("shop.py")
ROOT = FILE.parents[2]
NAMED = "import os, socket\nname = os.environ.get('SHOP_DEMO_HOST')\nif name:\n    socket.gethostname = lambda: name\n"
"""What makes every process of a replica believe that it is on a host of this name."""
LIMIT = 60.0
STEADY = ("--ttl", "5s", "--grace", "1s", "--kill-time", "1s")


class Demo:
    """A shop on SQLite in a folder, and its replicas."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'demo.db'}"
        self.began = datetime.now(UTC)
        self._folder = folder
        self._replicas: list[subprocess.Popen[bytes]] = []
        (folder / "sitecustomize.py").write_text(NAMED)
        os.environ |= {
            "LEASED_DATABASE_URL": self.url,
            "SHOP_DEMO_BEGAN": self.began.isoformat(),
            "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
        }
        self.schedules = {each.name: each for each in load(FILE).schedules}

    def prepare(self) -> None:
        """Write the definitions, twice as after a deploy, and the past."""
        self.leased("sync", str(FILE), SHOP_DEMO_FORMER="1")
        self.leased("sync", str(FILE))
        with self.writing() as connection:
            fill(connection, self.schedules, self.began)
            self._due(connection, "daily-full-sync")
        monday = self.began + timedelta(days=7 - self.began.weekday())
        why = "the template is being translated"
        until = f"{monday:%Y-%m-%d} 08:00"
        self.leased("pause", "newsletter-digest", "--by", "ann", "--why", why, "--until", until)
        with self.writing() as connection:
            paused = self.began - PAUSED
            connection.execute(update(schedule).where(schedule.c.paused_at.is_not(None)).values(paused_at=paused))
            connection.execute(update(act).where(act.c.act == "pause").values(acted_at=paused))

    def play(self, port: int) -> None:
        """Start the replicas, and let one crash while it runs a job."""
        second = self._replica("web-2", "--no-web")
        self._wait(select(job_run.c.id).where(job_run.c.job == "stock", job_run.c.state == "running"))
        with self.writing() as connection:
            self._let_it_have_run(connection, "daily-full-sync", timedelta(minutes=47), first_jobs=14.0)
        self._replica("web-1", "--web", f"127.0.0.1:{port}")
        self._wait_for_address(port)
        second.send_signal(signal.SIGKILL)
        second.wait()
        self._replica("web-2", "--no-web")
        self._wait(
            select(job_run.c.id).where(job_run.c.job == "stock", job_run.c.attempt == 2, job_run.c.state == "running")
        )
        with self.writing() as connection:
            self._let_it_have_crashed(connection, timedelta(minutes=16))
            self._due(connection, "warehouse-export")
            self._due(connection, "refresh-prices")
        self._wait(select(job_run.c.id).where(job_run.c.job == "load", job_run.c.state == "running"))
        with self.writing() as connection:
            self._let_it_have_run(connection, "warehouse-export", timedelta(minutes=41), first_jobs=9.0)
            self._due(connection, "invoice-batch")
        first, last = (f"{self.began - timedelta(hours=hours):%Y-%m-%d %H:%M}Z" for hours in (39, 8))
        why = "the index lost these hours"
        self.leased("backfill", "search-reindex", "--from", first, "--to", last, "--by", "dana", "--why", why, "--yes")

    def leased(self, *arguments: str, **environment: str) -> None:
        """Run a command to its end."""
        command = [sys.executable, "-m", "leased", *arguments]
        named = {**os.environ, "SHOP_DEMO_HOST": "runner-7", **environment}
        done = subprocess.run(command, cwd=self._folder, env=named, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"leased {arguments[0]}: {done.stderr or done.stdout}")

    def stop(self) -> None:
        """End the replicas in order."""
        for replica in self._replicas:
            if replica.poll() is None:
                replica.terminate()
        for replica in self._replicas:
            replica.wait()

    def wait(self) -> None:
        """Wait until a replica has ended."""
        while all(replica.poll() is None for replica in self._replicas[1:]):
            time.sleep(1)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a transaction that writes."""
        with (
            connected(parse_address(self.url), ConnectionSettings("demo")) as connection,
            write_transaction(connection, LIMIT),
        ):
            yield connection

    def _replica(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{name}.log").open("ab")
        command = [sys.executable, "-m", "leased", "run", str(FILE), *STEADY, *options]
        named = {**os.environ, "SHOP_DEMO_HOST": name}
        started = subprocess.Popen(
            command,
            cwd=self._folder,
            env=named,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._replicas.append(started)
        return started

    def _due(self, connection: Connection, name: str) -> None:
        """Write the run of the last scheduled time of a schedule."""
        each, since = self.schedules[name], self.began - timedelta(days=1)
        passed: list[datetime] = []
        for instant in each.instants(since, since):
            if instant > self.began:
                break
            passed.append(instant)
        add_due(connection, each, passed[-1])

    def _let_it_have_run(self, connection: Connection, name: str, since: timedelta, first_jobs: float) -> None:
        """Say of a run that began just now that it began that long ago, and so of its jobs."""
        [run_id] = connection.execute(select(run.c.id).where(run.c.schedule == name, run.c.state == "running")).one()
        at = self.began - since
        connection.execute(update(run).where(run.c.id == run_id).values(started_at=at + timedelta(seconds=0.4)))
        for job_id, position in connection.execute(
            select(job_run.c.id, job_run.c.position).where(job_run.c.run_id == run_id).order_by(job_run.c.id)
        ).all():
            step = timedelta(minutes=first_jobs)
            values = {"started_at": at + position * step + timedelta(seconds=1)}
            connection.execute(update(job_run).where(job_run.c.id == job_id).values(values))
            ended = values["started_at"] + step - timedelta(seconds=1)
            over = update(job_run).where(job_run.c.id == job_id, job_run.c.finished_at.is_not(None))
            connection.execute(over.values(finished_at=ended))

    def _let_it_have_crashed(self, connection: Connection, since: timedelta) -> None:
        """Say of the crash that it was so long ago, and that the lease had to expire first."""
        at = self.began - since
        lost = update(job_run).where(
            job_run.c.job == "stock", job_run.c.state == "abandoned", job_run.c.finished_at > at
        )
        connection.execute(lost.values(renewed_at=at - timedelta(seconds=4), finished_at=at + timedelta(seconds=2)))
        resumed = update(job_run).where(job_run.c.job == "stock", job_run.c.state == "running", job_run.c.attempt == 2)
        connection.execute(resumed.values(started_at=at + timedelta(seconds=2.4)))

    def _wait(self, for_rows: Select[Any]) -> None:
        def found() -> bool:
            with connected(parse_address(self.url), ConnectionSettings("demo")) as connection:
                return connection.execute(for_rows).first() is not None

        self._until(found)

    def _wait_for_address(self, port: int) -> None:
        def answers() -> bool:
            with socket.socket() as tried:
                return tried.connect_ex(("127.0.0.1", port)) == 0

        self._until(answers)

    def _until(self, condition: Callable[[], bool]) -> None:
        limit = time.monotonic() + LIMIT
        while not condition():
            ended = [replica for replica in self._replicas[-1:] if replica.poll() is not None]
            if ended or time.monotonic() > limit:
                logs = "".join(path.read_text()[-3_000:] for path in sorted(self._folder.glob("*.log")))
                raise SystemExit(f"the demo did not start:\n{logs}")
            time.sleep(0.1)


def main() -> None:
    """Play the demo until Ctrl-C."""
    options = _options()
    port = options.port or _free_port()
    folder = Path(tempfile.mkdtemp(prefix="leased-demo-"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    demo = Demo(folder)
    try:
        _say("A shop with a past of five weeks is being made. This takes 20 seconds.")
        demo.prepare()
        demo.play(port)
        _say(f"Open http://127.0.0.1:{port}/ in a browser. Ctrl-C ends the demo.")
        demo.wait()
        _say(f"A replica has ended; {folder} has its log.")
        options.keep = True
    except KeyboardInterrupt:
        _say("")
    finally:
        demo.stop()
        if options.keep:
            _say(f"{folder} is kept.")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description="Show the pages with a believable past.")
    parser.add_argument("--port", type=int, default=8750, help="where the pages are served; 0: any that is free; 8750")
    parser.add_argument("--keep", action="store_true", help="keep the database and the logs")
    return parser.parse_args()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
