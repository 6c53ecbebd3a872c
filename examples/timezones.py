"""A nightly full sync of the IANA time zone database into tables, as four jobs.

    leased run examples/timezones.py --now daily-full-sync --until-idle

Each job writes in short transactions that begin with `run.fence(connection)`, so they commit only
while this run holds its lease. Each job replaces what it finds, so it can safely be repeated after
a crash, or the next night.
"""

import asyncio
import sys
from collections.abc import Iterator
from typing import TypeVar

from sqlalchemy import delete, func, insert, select
from tzsource import Zone, aliases, countries, country_zones, read_zone, version, zone_names
from tztables import async_database, database, metadata, tz_country, tz_country_zone, tz_transition, tz_zone

from daemon import AsyncRun, Run, Schedules

Item = TypeVar("Item")

ZONES_AT_ONCE = 10
"""How many zones one transaction writes: several hundred transitions."""

schedules = Schedules("timezones")
nightly = schedules.add(
    "daily-full-sync",
    cron="0 2 * * *",
    timezone="UTC",
    catch_up="latest",
    overlap="skip",
    description="Copies the IANA time zone database into tables",
)


@nightly.job(timeout="5m", retries=2)
async def zones(run: AsyncRun) -> None:
    """Create the tables and write each zone. An async function runs inside the replica."""
    names, release = zone_names(), version()
    async with async_database() as engine:
        async with engine.begin() as connection:
            await run.fence(connection)
            await connection.run_sync(metadata.create_all)
            await connection.execute(delete(tz_zone).where(tz_zone.c.name.not_in(names)))
        for done, batch in batches(names, 100):
            read = await asyncio.to_thread(read_zones, batch)
            async with engine.begin() as connection:
                await run.fence(connection)
                await connection.execute(delete(tz_zone).where(tz_zone.c.name.in_(batch)))
                await connection.execute(insert(tz_zone), [zone_row(zone, release) for zone in read])
            run.progress(done, len(names), f"last zone: {batch[-1]}")


@nightly.job(timeout="10m", retries=2)
def transitions(run: Run) -> None:
    """Write each zone's transitions from 1970 to 2037. A function runs in a process of its own."""
    every = read_zones(zone_names())
    total, written = sum(len(zone.transitions) for zone in every), 0
    with database() as engine:
        with engine.begin() as connection:
            run.fence(connection)
            connection.execute(delete(tz_transition).where(tz_transition.c.zone.not_in([zone.name for zone in every])))
        for _, batch in batches(every, ZONES_AT_ONCE):
            rows = [row for zone in batch for row in transition_rows(zone)]
            with engine.begin() as connection:
                run.fence(connection)
                connection.execute(delete(tz_transition).where(tz_transition.c.zone.in_([zone.name for zone in batch])))
                if rows:
                    connection.execute(insert(tz_transition), rows)
            written += len(rows)
            run.progress(written, total, f"last zone: {batch[-1].name}")


# A command can be any program that reaches the database; it finds its grant in the environment.
nightly.command("countries", [sys.executable, "sync_countries.py"], timeout="5m", retries=2)


@nightly.job(timeout="5m")
def verify(run: Run) -> None:
    """Fail unless the tables hold as many rows as the package does."""
    tables = {
        "zones": tz_zone,
        "transitions": tz_transition,
        "countries": tz_country,
        "pairs of country and zone": tz_country_zone,
    }
    expected = {
        "zones": len(zone_names()),
        "transitions": sum(len(zone.transitions) for zone in read_zones(zone_names())),
        "countries": len(countries()),
        "pairs of country and zone": len(country_zones()),
    }
    with database() as engine, engine.begin() as connection:
        run.fence(connection)
        found = {what: connection.scalar(select(func.count()).select_from(table)) for what, table in tables.items()}
    if found != expected:
        raise RuntimeError(f"the tables hold {found}, but tzdata {version()} has {expected}")
    said = ", ".join(f"{rows:,} {what}" for what, rows in expected.items())
    run.progress(sum(expected.values()), sum(expected.values()), f"all of tzdata {version()} is there: {said}")


def batches(items: list[Item], size: int) -> Iterator[tuple[int, list[Item]]]:
    """Yield ``size`` items at a time, with the number yielded so far."""
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        yield start + len(batch), batch


def read_zones(names: list[str]) -> list[Zone]:
    known = aliases()
    return [read_zone(name, known.get(name)) for name in names]


def zone_row(zone: Zone, release: str) -> dict[str, object]:
    first = zone.first._asdict()
    return {"name": zone.name, "alias_of": zone.alias_of, **first, "rule": zone.rule, "release": release}


def transition_rows(zone: Zone) -> list[dict[str, object]]:
    return [{"zone": zone.name, "at": at, **local._asdict()} for at, local in zone.transitions]
