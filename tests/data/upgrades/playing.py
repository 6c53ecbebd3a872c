"""What the scenes have in common. It is run with the code of the version whose scene is played, as they are."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event, update
from sqlalchemy.pool import NullPool

from daemon.definitions.application import Application
from daemon.definitions.job import Job
from daemon.definitions.schedule import Schedule
from daemon.operations.trigger import trigger
from daemon.scheduling.sync import sync
from daemon.store import migrations
from lease.schema import lease

HOLDER, LABEL, TTL = "old-replica", "old-host:4711", 15.0
HOURLY = {"every": 3600.0, "catch_up": "skip"}


def a_schedule(name: str, *jobs: str, **settings: Any) -> Schedule:
    made = tuple(Job(name=job, command="true", retries=2) for job in jobs or ("work",))
    return Schedule.model_validate({"name": name, "jobs": made, **HOURLY, **settings})


def an_application(*schedules: Schedule) -> Application:
    return Application("shop", Path("schedules.toml"), schedules)


class Scene:
    """A database, and the statements that are made on it."""

    def __init__(self, url: str) -> None:
        self.sqlite = url.startswith("sqlite")
        self.engine = create_engine(
            url, poolclass=NullPool, **({"isolation_level": "AUTOCOMMIT"} if self.sqlite else {})
        )
        if not self.sqlite:
            self.engine = self.engine.execution_options(schema_translate_map={None: "public"})
        self.made: list[dict[str, Any]] = []
        event.listen(self.engine, "after_cursor_execute", self._record)

    def _record(self, _connection: Any, cursor: Any, sql: str, parameters: Any, _context: Any, many: bool) -> None:
        self.made.append({"sql": sql, "parameters": stored(parameters), "many": many, "rows": cursor.rowcount})

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[Any]:
        with self.engine.connect() as connection:
            driver = connection.connection.driver_connection
            driver.execute("BEGIN IMMEDIATE" if self.sqlite else "BEGIN")
            yield connection
            driver.execute("COMMIT" if keep else "ROLLBACK")

    def do(self, unit: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        with self.transaction() as connection:
            return unit(connection, *arguments, **named)

    def recorded(
        self, unit: Callable[..., Any], *arguments: Any, keep: bool = True, **named: Any
    ) -> tuple[Any, list[Any]]:
        """Return what the unit did, and the statements that it made."""
        self.made = []
        with self.transaction(keep=keep) as connection:
            result = unit(connection, *arguments, **named)
        return result, self.made


def stored(value: Any) -> Any:
    match value:
        case dict():
            return {name: stored(one) for name, one in value.items()}
        case list() | tuple():
            return [stored(one) for one in value]
        case datetime():
            return {"instant": value.isoformat()}
        case _:
            return value


def asks(
    scene: Scene, schedules: tuple[Schedule, ...], changed: tuple[Schedule, ...]
) -> Iterator[tuple[str, list[Any]]]:
    """Yield what it is asked for besides, none of which is kept, so that each is made on what the others find."""
    yield "sync", scene.recorded(sync, an_application(*changed), keep=False)[1]
    yield "sync that only retires", scene.recorded(sync, an_application(*schedules[:-1]), keep=False)[1]
    yield "sync that only adds", scene.recorded(sync, an_application(*schedules, *changed[-1:]), keep=False)[1]
    retimed = (a_schedule("at-work", "first", "second", "third", every=60.0), *schedules[1:])
    yield "sync that only changes", scene.recorded(sync, an_application(*retimed), keep=False)[1]
    yield "sync that changes nothing", scene.recorded(sync, an_application(*schedules), keep=False)[1]
    yield "trigger", scene.recorded(trigger, "shop", "waiting", requested_by="ada@old-host", keep=False)[1]


def move(connection: Any) -> None:
    """Let it be the database of a machine that has been started anew since."""
    connection.execute(update(lease).where(lease.c.boot.is_not(None)).values(boot="an earlier boot"))


def play(set_up: Callable[[Scene], Any], go_on: Callable[[Scene, Any], Iterator[tuple[str, list[Any]]]]) -> None:
    """Set the scene and say so, wait for the dump of it (a line on stdin), go on, and write what was made."""
    url, output = sys.argv[1:]
    migrations.upgrade(url)
    scene = Scene(url)
    runs = set_up(scene)
    scene.do(move)
    sys.stdout.write("set\n")
    sys.stdout.flush()
    sys.stdin.readline()
    made = [{"does": name, "statements": made} for name, made in go_on(scene, runs)]
    Path(output).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
