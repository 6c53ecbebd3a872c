"""Work that arrives: each picture gets a thumbnail, by a run that is requested with the picture's own row.

    leased sync examples/thumbnails.py                  # what is defined here, into the database
    python examples/thumbnails.py cat.png dog.png       # a program: two pictures, and two runs that are requested
    leased run examples/thumbnails.py --until-idle      # a replica, or any number of them
    leased runs thumbnail

Nothing of `thumbnail` is ever due: it runs when it is requested, each time with its own parameters.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, Text, create_engine, insert, select

from daemon import Run, Schedules
from lease.database.address import parse_address

metadata = MetaData()
pictures = Table("picture", metadata, Column("name", Text, primary_key=True))
thumbnails = Table(
    "thumbnail",
    metadata,
    Column("key", Text, primary_key=True),
    Column("picture", Text, nullable=False),
    Column("width", Integer, nullable=False),
)

schedules = Schedules("pictures")


@schedules.on_request(
    params={"picture": "", "width": 200},
    overlap="allow",  # each run beside the others
    lock={"name": "graphics", "slots": 4},  # at most so many at once, however many replicas there are
    priority="low",  # what is due on time goes first, but for what has waited an hour longer
    keep={"days": 7},
    finish_by="5m",
    timeout="2m",
    retries=3,
)
def thumbnail(run: Run) -> None:
    """Make one thumbnail, however many attempts it takes: all of them have the same idempotency key."""
    key, picture, width = run.idempotency_key, str(run.params["picture"]), int(run.params["width"])
    with database() as engine, engine.begin() as connection:
        run.fence(connection)  # commits only while this run still holds its lease
        if connection.scalar(select(thumbnails.c.key).where(thumbnails.c.key == key)) is None:
            connection.execute(insert(thumbnails).values(key=key, picture=picture, width=width))  # stands for the work
    run.progress(1, 1, f"{picture}, {width} pixels wide")


def upload(connection: Connection, picture: str) -> int:
    """Take a picture in a transaction of the program's own: its row and its run are both there, or neither.

    The key makes it one run, however often the transaction is repeated.
    """
    requested = schedules.trigger("thumbnail", {"picture": picture}, connection=connection, key=picture)
    if not requested.already:
        connection.execute(insert(pictures).values(name=picture))
    return int(requested.run_id)


@contextmanager
def database() -> Iterator[Engine]:
    """Connect for the block to the database with leased's tables, which the replica names."""
    engine = create_engine(parse_address(os.environ.get("LEASED_DATABASE_URL", "sqlite:///leased.db")))
    try:
        yield engine
    finally:
        engine.dispose()


def main(names: list[str]) -> None:
    with database() as engine:
        metadata.create_all(engine)
        for name in names:
            with engine.begin() as connection:
                run_id = upload(connection, name)
            sys.stdout.write(f"{name}: run {run_id}\n")


if __name__ == "__main__":  # for a child imports this file, too
    main(sys.argv[1:])
